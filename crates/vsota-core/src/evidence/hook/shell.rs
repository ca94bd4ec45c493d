//! A shell's script, taken apart: the simple commands in it, where each runs, and where its output goes.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Place;

/// How deep scripts within scripts are read.
pub(super) const DEPTH: usize = 6;

/// A simple command.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Simple {
    pub(super) words: Vec<String>,
    /// Files that its output goes to.
    pub(super) writes: Vec<String>,
    /// What a here-document feeds it.
    pub(super) stdin: Option<String>,
    /// The directory in which it runs.
    pub(super) dir: String,
    /// The words of the commands whose output it reads.
    pub(super) before: Vec<String>,
}

/// What a word of the script is.
enum Token {
    Word(String),
    /// `>` and its kin; the next word is a file that is written.
    Out,
    /// `<`: the next word is only read.
    In,
    /// `<<`: the next word ends a here-document; whether its tabs are stripped.
    Here(bool),
    /// `<<<`: the next word is the input.
    Text,
    /// `|`.
    Pipe,
    /// `;`, `&&`, `||`, `&`, a new line.
    End,
    Open,
    Close,
}

/// The simple commands of a script, those in substitutions too.
pub(super) fn simple(script: &str, at: &Place, depth: usize) -> Vec<Simple> {
    let mut lexer = Lexer {
        text: script.chars().collect(),
        at: 0,
        variables: BTreeMap::from([("HOME".to_owned(), at.home.clone())]),
        nested: Vec::new(),
        pending: Vec::new(),
        bodies: Vec::new(),
    };
    let mut found = Vec::new();
    let mut dirs = Vec::from([at.dir.clone()]);
    lexer.stand(&dirs);
    let mut now = Simple::default();
    let mut piped: Vec<String> = Vec::new();
    let mut here: Vec<usize> = Vec::new();
    while let Some(token) = lexer.next() {
        match token {
            Token::Word(word) => now.words.push(word),
            Token::Out => {
                if let Some(Token::Word(word)) = lexer.next() {
                    now.writes.push(word);
                }
            }
            Token::In => {
                lexer.next();
            }
            Token::Text => {
                if let Some(Token::Word(word)) = lexer.next() {
                    now.stdin = Some(word);
                }
            }
            Token::Here(strip) => {
                if let Some(Token::Word(end)) = lexer.next() {
                    // Its body follows the line; the command is found by its place.
                    here.push(found.len());
                    lexer.pending.push((end, strip));
                }
            }
            Token::Pipe | Token::End | Token::Open | Token::Close => {
                let ends_pipe = !matches!(token, Token::Pipe);
                let opens = matches!(token, Token::Open);
                let closes = matches!(token, Token::Close);
                finish(&mut now, &mut lexer, &mut dirs, &mut piped, &mut found, at);
                if ends_pipe {
                    piped.clear();
                }
                if opens {
                    dirs.push(dirs.last().cloned().unwrap_or_default());
                }
                if closes && dirs.len() > 1 {
                    dirs.pop();
                }
                lexer.stand(&dirs);
            }
        }
    }
    finish(&mut now, &mut lexer, &mut dirs, &mut piped, &mut found, at);
    for (place, body) in here.into_iter().zip(lexer.bodies) {
        if let Some(it) = found.get_mut(place) {
            it.stdin = Some(body);
        }
    }
    let dir = dirs.last().cloned().unwrap_or_default();
    for script in lexer.nested.iter().filter(|_| depth < DEPTH) {
        let there = Place { dir: dir.clone(), home: at.home.clone() };
        found.extend(simple(script, &there, depth.saturating_add(1)));
    }
    found
}

/// Puts the command among the found ones; `cd` and assignments change what follows.
fn finish(
    now: &mut Simple,
    lexer: &mut Lexer,
    dirs: &mut [String],
    piped: &mut Vec<String>,
    found: &mut Vec<Simple>,
    at: &Place,
) {
    let mut done = core::mem::take(now);
    let keyword = |it: &String| {
        matches!(
            it.as_str(),
            "if" | "then"
                | "else"
                | "elif"
                | "fi"
                | "do"
                | "done"
                | "while"
                | "until"
                | "!"
                | "{"
                | "}"
        )
    };
    while done.words.first().is_some_and(keyword) {
        done.words.remove(0);
    }
    if let [first, name, of, value, ..] = done.words.as_slice()
        && (first.as_str(), of.as_str()) == ("for", "in")
    {
        lexer.variables.insert(name.clone(), value.clone());
    }
    let declares =
        |it: &&String| matches!(it.as_str(), "export" | "declare" | "local" | "readonly");
    let said = match done.words.split_first() {
        Some((first, rest)) if declares(&first) => rest,
        _ => done.words.as_slice(),
    };
    let assigns = |it: &String| it.starts_with('-') || assignment(it).is_some();
    if !said.is_empty() && said.iter().all(assigns) {
        for (name, value) in said.iter().filter_map(|it| assignment(it)) {
            lexer.variables.insert(name.to_owned(), value.to_owned());
        }
    }
    let dir = dirs.last().cloned().unwrap_or_default();
    let goes = matches!(done.words.first().map(String::as_str), Some("cd" | "pushd"));
    let target = done.words.iter().skip(1).find(|it| !it.starts_with('-'));
    if let (true, Some(target), Some(here)) = (goes, target, dirs.last_mut()) {
        *here = Place { dir: dir.clone(), home: at.home.clone() }.join(target);
    }
    if done.words.is_empty() && done.writes.is_empty() && done.stdin.is_none() {
        return;
    }
    done.dir = dir;
    done.before.clone_from(piped);
    piped.extend(done.words.iter().cloned());
    found.push(done);
}

/// `NAME=value`, as a word before a command.
pub(super) fn assignment(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    (is_name && name.chars().all(part)).then_some((name, value))
}

struct Lexer {
    text: Vec<char>,
    at: usize,
    variables: BTreeMap<String, String>,
    /// Scripts inside `$(…)` and backquotes.
    nested: Vec<String>,
    /// The ends of here-documents that begin after this line, and whether tabs are stripped.
    pending: Vec<(String, bool)>,
    bodies: Vec<String>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at.checked_add(ahead)?).copied()
    }

    fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    /// Says where the commands that follow are run.
    fn stand(&mut self, dirs: &[String]) {
        self.variables.insert("PWD".to_owned(), dirs.last().cloned().unwrap_or_default());
    }

    /// Puts what a substitution prints into the word where that is known: the place where it runs. The
    /// top of the work tree counts as that place, which it mostly is.
    fn substitute(&mut self, script: String, word: &mut String) {
        if matches!(script.trim(), "pwd" | "pwd -P" | "git rev-parse --show-toplevel")
            && let Some(here) = self.variables.get("PWD")
        {
            word.push_str(here);
        }
        self.nested.push(script);
    }

    fn next(&mut self) -> Option<Token> {
        loop {
            match self.peek(0)? {
                '\\' if self.peek(1) == Some('\n') => self.skip(2),
                '\n' => {
                    self.skip(1);
                    self.here_documents();
                    return Some(Token::End);
                }
                c if c.is_whitespace() => self.skip(1),
                '#' => {
                    while self.peek(0).is_some_and(|it| it != '\n') {
                        self.skip(1);
                    }
                }
                _ => return Some(self.token()),
            }
        }
    }

    fn token(&mut self) -> Token {
        let two = (self.peek(0), self.peek(1));
        let (token, count) = match two {
            (Some(';'), Some(';')) | (Some('&'), Some('&')) => (Token::End, 2),
            (Some('|'), Some('|')) => (Token::End, 2),
            (Some('|'), Some('&')) => (Token::Pipe, 2),
            (Some('&'), Some('>')) if self.peek(2) == Some('>') => (Token::Out, 3),
            (Some('&'), Some('>')) => (Token::Out, 2),
            (Some(';' | '&'), _) => (Token::End, 1),
            (Some('|'), _) => (Token::Pipe, 1),
            (Some('('), _) => (Token::Open, 1),
            (Some(')'), _) => (Token::Close, 1),
            (Some('<'), Some('<')) => match self.peek(2) {
                Some('<') => (Token::Text, 3),
                Some('-') => (Token::Here(true), 3),
                _ => (Token::Here(false), 2),
            },
            // A process substitution is a script of its own.
            (Some('<' | '>'), Some('(')) => (Token::Open, 2),
            (Some('<'), Some('>')) => (Token::Out, 2),
            (Some('<'), Some('&')) => (Token::In, 2),
            (Some('<'), _) => (Token::In, 1),
            (Some('>'), Some('&'))
                if self.peek(2).is_some_and(|it| it.is_ascii_digit() || it == '-') =>
            {
                (Token::In, 2)
            }
            (Some('>'), Some('>' | '|' | '&')) => (Token::Out, 2),
            (Some('>'), _) => (Token::Out, 1),
            _ => return self.word(),
        };
        self.skip(count);
        token
    }

    fn word(&mut self) -> Token {
        let mut word = String::new();
        while let Some(c) = self.peek(0) {
            match c {
                '\'' => {
                    self.skip(1);
                    while let Some(c) = self.peek(0).filter(|it| *it != '\'') {
                        word.push(c);
                        self.skip(1);
                    }
                    self.skip(1);
                }
                '"' => self.quoted(&mut word),
                '\\' => {
                    if let Some(c) = self.peek(1).filter(|it| *it != '\n') {
                        word.push(c);
                    }
                    self.skip(2);
                }
                '$' | '`' => self.dollar(&mut word),
                '<' | '>' if !word.is_empty() && word.chars().all(|it| it.is_ascii_digit()) => {
                    // The number before a redirection is no word.
                    return self.token();
                }
                c if c.is_whitespace() || ";&|()<>".contains(c) => break,
                c => {
                    word.push(c);
                    self.skip(1);
                }
            }
        }
        Token::Word(word)
    }

    fn quoted(&mut self, word: &mut String) {
        self.skip(1);
        while let Some(c) = self.peek(0).filter(|it| *it != '"') {
            match c {
                '\\' => {
                    word.extend(self.peek(1));
                    self.skip(2);
                }
                '$' | '`' => self.dollar(word),
                c => {
                    word.push(c);
                    self.skip(1);
                }
            }
        }
        self.skip(1);
    }

    /// A variable or a substitution; what is not known stays as it is written.
    fn dollar(&mut self, word: &mut String) {
        if self.peek(0) == Some('`') {
            self.skip(1);
            let script = self.until(|it| it == '`');
            self.skip(1);
            self.substitute(script, word);
            return;
        }
        if self.peek(1) == Some('(') {
            self.skip(2);
            let mut depth = 1_usize;
            let script = self.until(|it| {
                depth = match it {
                    '(' => depth.saturating_add(1),
                    ')' => depth.saturating_sub(1),
                    _ => depth,
                };
                depth == 0
            });
            self.skip(1);
            self.substitute(script, word);
            return;
        }
        self.skip(1);
        let braced = self.peek(0) == Some('{');
        let name = if braced {
            self.skip(1);
            let name = self.until(|it| it == '}');
            self.skip(1);
            name
        } else {
            self.until(|it| !it.is_ascii_alphanumeric() && it != '_')
        };
        match self.variables.get(&name) {
            Some(value) => word.push_str(value),
            None => {
                word.push('$');
                word.push_str(&name);
            }
        }
    }

    fn until(&mut self, mut ends: impl FnMut(char) -> bool) -> String {
        let mut text = String::new();
        while let Some(c) = self.peek(0).filter(|it| !ends(*it)) {
            text.push(c);
            self.skip(1);
        }
        text
    }

    /// The bodies of the here-documents that the line before named.
    fn here_documents(&mut self) {
        for (end, strip) in core::mem::take(&mut self.pending) {
            let mut body = String::new();
            while self.at < self.text.len() {
                let line = self.until(|it| it == '\n');
                self.skip(1);
                let line = if strip { line.trim_start_matches('\t') } else { line.as_str() };
                if line == end {
                    break;
                }
                body.push_str(line);
                body.push('\n');
            }
            self.bodies.push(body.to_string());
        }
    }
}
