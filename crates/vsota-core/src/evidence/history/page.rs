//! The cards of a family's page: one a pull request.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

/// A pull request as its card tells it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Card {
    /// The line of the page where the card begins, from 1.
    pub line: u64,
    /// Its number.
    pub number: u64,
    /// Its title.
    pub title: String,
    /// `merged`, `open` or `closed`, and the date, as the card has them.
    pub state: String,
    /// The files that it changed, as far as the card names them.
    pub files: Vec<String>,
    /// The symbols that it touched, as far as the card names them.
    pub symbols: Vec<String>,
    /// What to watch for when it is validated.
    pub risk: String,
}

/// Every card of a page, in its order. What is no card is passed over.
pub fn cards(text: &str) -> Vec<Card> {
    let mut cards: Vec<Card> = Vec::new();
    let mut fenced = false;
    let mut open = false;
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            // A diff may quote a page like this one.
        } else if text.starts_with('#') {
            let card = text.strip_prefix("### PR #").and_then(|head| opened(line, head));
            open = card.is_some();
            cards.extend(card);
        } else if let Some(card) = cards.last_mut().filter(|_| open) {
            card.take(text);
        }
    }
    cards
}

fn opened(line: u64, head: &str) -> Option<Card> {
    let digits = head.bytes().take_while(u8::is_ascii_digit).count();
    let number = head.get(..digits)?.parse().ok()?;
    let title = head.get(digits..)?.trim_start_matches([' ', '-', '–', ':']).to_owned();
    Some(Card { line, number, title, ..Card::default() })
}

impl Card {
    fn take(&mut self, text: &str) {
        let item = text.trim_start();
        let Some(item) = item.strip_prefix("- ") else { return };
        if let Some(state) = item.strip_prefix("Status/date:") {
            self.state = state.trim().to_owned();
        } else if let Some(risk) = item.strip_prefix("Risk") {
            let risk = risk.split_once(':').map_or(risk, |(_, it)| it);
            self.risk = risk.trim().to_owned();
        } else if text.starts_with(' ') {
            // `path` what; hunks: …; symbols: a, b — or what: `path`; `path`
            let quoted = item.split('`').skip(1).step_by(2);
            quoted.filter(|it| it.contains(['/', '.'])).for_each(|it| push(&mut self.files, it));
            let symbols = item.rsplit_once("symbols: ").map_or("", |(_, it)| it);
            symbols.split(", ").for_each(|it| push(&mut self.symbols, it.trim()));
        }
    }
}

fn push(to: &mut Vec<String>, it: &str) {
    if !it.is_empty() && !to.iter().any(|known| known == it) {
        to.push(it.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# vllm Some Model PR Optimization History\n\n## Cards\n\n\
        ### PR #12 - [Model] One\n\n- Link: l\n- Status/date: merged / 2025-04-06\n\
        - Code diff details:\n  - `vllm/a.py` added +1/-0; hunks: x; symbols: A, forward\n\
        - Key code excerpts:\n\n```diff\n### PR #99 - quoted\n- Status/date: no\n```\n\n\
        - Reviewed files:\n  - tests: `tests/b.py` added; `vllm/a.py` modified\n\
        - Risk and verification: run b again\n\n### PR #x - no number\n- Status/date: lost\n\
        ## After\n- Risk: none of a card\n";

    #[test]
    fn a_card_is_read_whole_and_nothing_else_is() {
        let cards = cards(PAGE);
        let [card] = cards.as_slice() else { panic!("one card: {cards:?}") };
        assert_eq!((card.number, card.line, card.title.as_str()), (12, 5, "[Model] One"));
        assert_eq!(card.state, "merged / 2025-04-06");
        assert_eq!(card.files, ["vllm/a.py", "tests/b.py"]);
        assert_eq!(card.symbols, ["A", "forward"]);
        assert_eq!(card.risk, "run b again");
    }
}
