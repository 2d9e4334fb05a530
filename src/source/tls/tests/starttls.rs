//! What is spoken before TLS, in every protocol.

use super::*;

/// What a server waits for, and what it says then, again and again.
type Script = Vec<(&'static [u8], &'static [u8])>;

/// What a server of each protocol says before it goes on in TLS.
fn dialogues() -> Vec<(&'static str, Script)> {
    let mysql = b"\x17\0\0\0\x0a8.0\0\x01\x00\x00\x0012345678\0\xff\xff\xff\x02\0";
    let ldap = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
    vec![
        (
            "smtp",
            vec![
                (b"", b"220 mx\r\n"),
                (b"EHLO ", b"250 STARTTLS\r\n"),
                (b"STARTTLS\r\n", b"220 go\r\n"),
            ],
        ),
        ("imap", vec![(b"", b"* OK ready\r\n"), (b"a STARTTLS\r\n", b"a OK go\r\n")]),
        ("pop3", vec![(b"", b"+OK ready\r\n"), (b"STLS\r\n", b"+OK go\r\n")]),
        ("ldap", vec![(b"1.3.6.1.4.1.1466.20037", ldap)]),
        ("postgres", vec![(b"\x04\xd2\x16\x2f", b"S")]),
        ("mysql", vec![(b"", mysql), (b"\x00\x8a\x00\x00", b"")]),
        (
            "xmpp",
            vec![
                (
                    b"<stream:stream",
                    b"<stream:stream><stream:features><starttls/></stream:features>",
                ),
                (b"<starttls ", b"<proceed/>"),
            ],
        ),
    ]
}

async fn speak(stream: &mut tokio::net::TcpStream, script: &[(&[u8], &[u8])]) {
    for (wanted, answer) in script {
        let mut heard = Vec::new();
        while !wanted.is_empty() && !heard.windows(wanted.len()).any(|part| part == *wanted) {
            heard.push(stream.read_u8().await.unwrap());
        }
        // What is left of a line or an element that was waited for.
        while heard.starts_with(b"EHLO") && !heard.ends_with(b"\n")
            || heard.starts_with(b"<") && !heard.ends_with(b">")
        {
            heard.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer).await.unwrap();
    }
    if script[0].1.starts_with(b"\x17") {
        // Of the packet that asks for TLS, what comes after the abilities.
        stream.read_exact(&mut [0; 28]).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_spoken_before_tls_leads_to_the_same_chain() {
    let authority = Authority::root("Root");
    let mut servers = Servers::default();
    for (scheme, script) in dialogues() {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(good(&authority, "a.example")));
        let serve = move |mut stream: tokio::net::TcpStream| {
            let (acceptor, script) = (acceptor.clone(), script.clone());
            async move {
                speak(&mut stream, &script).await;
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    drop(stream.read(&mut [0; 1]).await);
                }
            }
        };
        let at = servers.with("127.0.0.1:0", serve).await;
        let page = seen(&[format!("{scheme}://{at}/a.example")]).await;
        assert_eq!((states(&page), page.total), (vec![(PlaceState::Read, "")], 2), "{scheme}");
    }
}
