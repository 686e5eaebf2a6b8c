//! As much of Redis's protocol as it takes to set servers up.

use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Link(BufReader<UnixStream>);

impl Link {
    pub(crate) fn connect(socket: &Path, password: &str) -> Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.set_write_timeout(Some(Duration::from_secs(5)))?;
        let mut link = Self(BufReader::new(stream));
        link.ask(&["AUTH", password])?;
        Ok(link)
    }

    /// Sends one command; its answer as text, the items of a list on lines of their own.
    pub(crate) fn ask(&mut self, words: &[&str]) -> Result<String> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(command.as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.trim_end();
        let (kind, rest) = line
            .split_at_checked(1)
            .ok_or_else(|| unexpected("nothing"))?;
        let length = || rest.parse::<usize>().map_err(|_| unexpected(rest));
        match kind {
            "+" | ":" => Ok(rest.to_owned()),
            "-" => Err(Error::other(rest.to_owned())),
            "$" => {
                let mut text = vec![0; length()? + 2];
                self.0.read_exact(&mut text)?;
                text.truncate(text.len() - 2);
                String::from_utf8(text).map_err(Error::other)
            }
            "*" => {
                let items: Result<Vec<String>> = (0..length()?).map(|_| self.answer()).collect();
                Ok(items?.join("\n"))
            }
            _ => Err(unexpected(line)),
        }
    }
}

fn unexpected(what: &str) -> Error {
    Error::other(format!("no answer in Redis's protocol: {what}"))
}
