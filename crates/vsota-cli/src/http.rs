//! HTTP/1.1 as far as a benchmark needs it: short answers whole, long ones line by line.
//!
//! A server at the other end is foreign: heads and bodies are bounded, and every wait has an end.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

/// The most bytes of a head.
const HEAD: usize = 64 << 10;

/// The most bytes of a body that is taken whole.
pub const BODY: usize = 32 << 20;

/// The most headers.
const HEADERS: usize = 64;

/// A request that came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// `GET`, `POST`.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The key that it brings.
    pub key: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// The answer of a server, whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// Where a server listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What a head says of the body that follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Length {
    Known(usize),
    Chunked,
    ToTheEnd,
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub struct Coming {
    /// The status.
    pub status: u16,
    length: Length,
    from: BufReader<Timed>,
    wait: Duration,
}

/// A connection whose reads end at a moment, however many they are.
#[derive(Debug)]
struct Timed {
    stream: TcpStream,
    until: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the answer takes too long"));
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

fn bad(message: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.to_string())
}

/// The bytes of a head, to its empty line; `None` when the other end said nothing more.
fn head(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        let room = HEAD.saturating_sub(before) as u64;
        from.by_ref().take(room).read_until(b'\n', &mut bytes)?;
        match bytes.len() {
            0 => return Ok(None),
            now if now == before => return Err(bad("the head ends too early or never")),
            _ if bytes.ends_with(b"\r\n\r\n") || bytes.ends_with(b"\n\n") => {
                return Ok(Some(bytes));
            }
            _ => {}
        }
    }
}

fn length(headers: &[httparse::Header<'_>], absent: Length) -> io::Result<Length> {
    let find = |name: &str| headers.iter().find(|it| it.name.eq_ignore_ascii_case(name));
    if let Some(coding) = find("transfer-encoding") {
        let chunked = coding.value.to_ascii_lowercase().ends_with(b"chunked");
        return if chunked { Ok(Length::Chunked) } else { Err(bad("an unknown transfer coding")) };
    }
    let Some(said) = find("content-length") else { return Ok(absent) };
    let number = std::str::from_utf8(said.value).ok().and_then(|it| it.trim().parse().ok());
    number.map(Length::Known).ok_or_else(|| bad("the content length is no number"))
}

/// The next request of a connection; `None` when there is none.
///
/// # Errors
///
/// When it is no HTTP, or its body is longer than [`BODY`].
pub fn request(from: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(bytes) = head(from)? else { return Ok(None) };
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(&bytes).map_err(bad)?;
    let (Some(method), Some(path)) = (parsed.method, parsed.path) else {
        return Err(bad("no method or no path"));
    };
    let path = path.split('?').next().unwrap_or(path).to_owned();
    let mut headers = parsed.headers.iter();
    let said = headers.find(|it| it.name.eq_ignore_ascii_case("authorization"));
    let key = said.and_then(|it| std::str::from_utf8(it.value).ok()?.strip_prefix("Bearer "));
    let key = key.map(str::to_owned);
    let (method, length) = (method.to_owned(), length(parsed.headers, Length::Known(0))?);
    Ok(Some(Request { method, path, key, body: body(from, length)? }))
}

fn body(from: &mut impl BufRead, length: Length) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match length {
        Length::Known(size) if size > BODY => return Err(bad("the body is too long")),
        Length::Known(size) => {
            from.take(size as u64).read_to_end(&mut bytes)?;
            if bytes.len() < size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Length::Chunked => while chunk(from, &mut bytes)? {},
        Length::ToTheEnd => {
            from.take(BODY as u64).read_to_end(&mut bytes)?;
        }
    }
    Ok(bytes)
}

/// One more chunk; `false` after the last.
fn chunk(from: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut line = String::new();
    from.take(1_024).read_line(&mut line)?;
    let size = line.split(';').next().unwrap_or_default().trim();
    let size = usize::from_str_radix(size, 16).map_err(|_| bad("a chunk without a size"))?;
    if size > BODY.saturating_sub(bytes.len()) {
        return Err(bad("the body is too long"));
    }
    let before = bytes.len();
    from.take(size as u64).read_to_end(bytes)?;
    if bytes.len().saturating_sub(before) < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.clear();
    from.take(1_024).read_line(&mut line)?;
    Ok(size > 0)
}

impl Address {
    /// Where a server on this machine listens.
    pub fn local(port: u16) -> Self {
        Self { host: "127.0.0.1".to_owned(), port }
    }

    fn connect(&self, wait: Duration) -> io::Result<TcpStream> {
        // A server on all interfaces is reached on this machine's own.
        let host = if self.host == "0.0.0.0" { "127.0.0.1" } else { &self.host };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (host, self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, wait) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(wait))?;
                    stream.set_write_timeout(Some(wait))?;
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Whether somebody listens there.
    pub fn is_taken(&self, wait: Duration) -> bool {
        self.connect(wait).is_ok()
    }

    /// Sends a request; the body of the answer is still to come. `wait` bounds connecting, sending and
    /// the head together, and then each line of the body.
    ///
    /// # Errors
    ///
    /// When nobody listens, the connection breaks, a wait is too long, or the answer is no HTTP.
    pub fn ask(&self, method: &str, path: &str, body: &[u8], wait: Duration) -> io::Result<Coming> {
        self.send(method, path, body, None, wait)
    }

    /// As [`ask`](Self::ask), with the key that the server wants, where it wants one.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        key: Option<&str>,
        wait: Duration,
    ) -> io::Result<Coming> {
        let until = Instant::now() + wait;
        let mut stream = self.connect(wait)?;
        let key = key.filter(|it| it.bytes().all(|it| it.is_ascii_graphic()));
        let key = key.map_or(String::new(), |it| format!("Authorization: Bearer {it}\r\n"));
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}:{}\r\nConnection: close\r\n{key}\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.host,
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut from = BufReader::new(Timed { stream, until });
        let bytes = self::head(&mut from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        parsed.parse(&bytes).map_err(bad)?;
        let status = parsed.code.ok_or_else(|| bad("no status"))?;
        let length = length(parsed.headers, Length::ToTheEnd)?;
        Ok(Coming { status, length, from, wait })
    }

    /// Sends a request and takes the whole answer, in `wait` altogether.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask), and when the body is longer than [`BODY`].
    pub fn call(&self, method: &str, path: &str, wait: Duration) -> io::Result<Answer> {
        self.call_with(method, path, None, wait)
    }

    /// As [`call`](Self::call), with the key that the server wants, where it wants one.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn call_with(
        &self,
        method: &str,
        path: &str,
        key: Option<&str>,
        wait: Duration,
    ) -> io::Result<Answer> {
        let mut coming = self.send(method, path, b"", key, wait)?;
        let body = body(&mut coming.from, coming.length)?;
        Ok(Answer { status: coming.status, body })
    }
}

impl Coming {
    /// The next line of the body, without its end; `None` after the last.
    ///
    /// # Errors
    ///
    /// When the connection breaks or the wait is too long.
    pub fn line(&mut self) -> io::Result<Option<String>> {
        self.from.get_mut().until = Instant::now() + self.wait;
        let mut line = String::new();
        if self.from.by_ref().take(HEAD as u64).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        line.truncate(line.trim_end().len());
        Ok(Some(line))
    }
}

/// Writes a whole answer.
///
/// # Errors
///
/// When nobody reads any more.
pub fn answer(to: &mut impl Write, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        409 => "Conflict",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    };
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    to.write_all(head.as_bytes())?;
    to.write_all(body)?;
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    const WAIT: Duration = Duration::from_secs(5);

    fn answered(bytes: &'static [u8]) -> io::Result<Answer> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut from = BufReader::new(stream.try_clone().unwrap());
            let asked = request(&mut from).unwrap().unwrap();
            assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/health"));
            let mut stream = stream;
            stream.write_all(bytes).unwrap();
        });
        let answer = Address::local(port).call("GET", "/health?a=b", WAIT);
        server.join().unwrap();
        answer
    }

    #[test]
    fn every_way_to_end_a_body_is_understood() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nbody",
        ] {
            let answer = answered(bytes).unwrap();
            assert_eq!((answer.status, answer.body.as_slice()), (200, &b"body"[..]));
        }
    }

    /// A server that says a byte at a time is not waited for longer than one that says nothing.
    #[test]
    fn an_answer_is_limited_in_all_and_not_by_its_reads() {
        for first in ["HTTP/1.1 200 OK\r\nX: ", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let at = Address::local(listener.local_addr().unwrap().port());
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(first.as_bytes()).unwrap();
                // Till the other end hangs up.
                while stream.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(50));
                }
            });
            let begun = Instant::now();
            assert!(at.call("GET", "/health", Duration::from_millis(400)).is_err());
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
            server.join().unwrap();
        }
    }

    #[test]
    fn what_is_no_http_or_ends_too_early_is_an_error() {
        for bytes in [
            &b"hello\r\n\r\n"[..],
            b"",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nbody",
            b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nbody",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        ] {
            assert!(answered(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
