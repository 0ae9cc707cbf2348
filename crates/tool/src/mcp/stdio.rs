//! The messages of a server that is a process: one JSON object a line.

use std::io;
use std::sync::Arc;

use rmcp::RoleClient;
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::Mutex;

use super::process::{Running, Said};

/// The longest message, in bytes. With a server that sends a longer one the connection ends: its answer is lost, and
/// nobody should wait for it.
pub(super) const LONGEST_MESSAGE: usize = 16 << 20;

/// The pipes of a server, with its process, which dies with them.
pub(super) struct Pipes {
    input: Arc<Mutex<Option<ChildStdin>>>,
    output: BufReader<ChildStdout>,
    line: Vec<u8>,
    process: Running,
    said: Said,
}

impl Pipes {
    pub(super) fn new(process: Running, input: ChildStdin, output: ChildStdout, said: Said) -> Self {
        let (input, output) = (Arc::new(Mutex::new(Some(input))), BufReader::new(output));
        Self { input, output, line: Vec::new(), process, said }
    }

    /// Reads on until a line is whole. Nothing is lost when the future is dropped: what was read stays.
    async fn line(&mut self) -> io::Result<bool> {
        loop {
            let chunk = self.output.fill_buf().await?;
            if chunk.is_empty() {
                return Ok(false);
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(chunk.len(), |end| end + 1);
            self.line.extend(chunk.iter().take(taken));
            self.output.consume(taken);
            if self.line.len() > LONGEST_MESSAGE {
                return Err(io::Error::other(format!("a message of more than {LONGEST_MESSAGE} bytes")));
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

impl Transport<RoleClient> for Pipes {
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let input = Arc::clone(&self.input);
        async move {
            let mut line = serde_json::to_vec(&message).map_err(io::Error::other)?;
            line.push(b'\n');
            let mut input = input.lock().await;
            let Some(pipe) = input.as_mut() else { return Err(io::ErrorKind::BrokenPipe.into()) };
            pipe.write_all(&line).await?;
            pipe.flush().await
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        loop {
            match self.line().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    self.said.note(format!("[it sent {error}]"));
                    return None;
                }
            }
            let message = read(&self.line);
            self.line.clear();
            match message {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(fault) => self.said.note(format!("[{fault}]")),
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.input.lock().await.take();
        self.process.end().await;
        Ok(())
    }
}

/// Reads a line. What is no message is passed over: careless servers talk on standard output. Bytes that are no UTF-8
/// are replaced.
fn read(line: &[u8]) -> Result<Option<RxJsonRpcMessage<RoleClient>>, String> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(None);
    }
    let excerpt = || super::clean::line(text, 80);
    if !text.starts_with('{') {
        return Err(format!("on standard output, where only messages belong: {}", excerpt()));
    }
    serde_json::from_str(text)
        .map(Some)
        .map_err(|error| format!("a message that cannot be read, {error}: {}", excerpt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_passed_over() {
        for (line, is_message, is_fault) in [
            (&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\r\n"[..], true, false),
            (b"\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"a\":\"\xff\"}}", true, false),
            (b"\n", false, false),
            (b"Server started", false, true),
            (b"{\"jsonrpc\":\"2.0\",\"id\":", false, true),
            (b"{}", false, true),
        ] {
            let read = read(line);
            assert_eq!((matches!(read, Ok(Some(_))), read.is_err()), (is_message, is_fault), "{line:?}");
        }
    }
}
