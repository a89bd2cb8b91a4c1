//! A service that answers as a test says, one request at a time.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

/// What was asked: `GET /path`, and the body.
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// Serves for as long as the test lives; gives the address, `127.0.0.1:PORT`.
pub(crate) fn serve(answer: impl Fn(&Asked) -> (u16, String) + Send + 'static) -> String {
    serve_with(move |asked| {
        let (status, body) = answer(asked);
        (status, String::new(), body)
    })
}

/// The same, with headers in its answers: lines that end in CR LF.
pub(crate) fn serve_with(answer: impl Fn(&Asked) -> (u16, String, String) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut headers, mut length) = (String::new(), String::new(), 0);
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                continue;
            }
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).unwrap();
                if header.trim().is_empty() {
                    break;
                }
                let lower = header.to_ascii_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                headers.push_str(&lower);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let body = String::from_utf8(body).unwrap();
            let line =
                line.trim_end_matches(|c: char| c.is_whitespace()).trim_end_matches(" HTTP/1.1").to_owned();
            let (status, more, said) = answer(&Asked { line, headers, body });
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{more}content-length: {}\r\nconnection: close\r\n\r\n",
                said.len()
            );
            drop(stream.write_all(format!("{head}{said}").as_bytes()));
        }
    });
    address
}
