// SPDX-License-Identifier: Apache-2.0
//! An echo server of the tungstenite library on port 9000.
use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    for stream in TcpListener::bind("0.0.0.0:9000")?.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            let Ok(mut socket) = tungstenite::accept(stream) else { return };
            while let Ok(message) = socket.read() {
                if (message.is_text() || message.is_binary()) && socket.send(message).is_err() {
                    return;
                }
            }
        });
    }
    Ok(())
}
