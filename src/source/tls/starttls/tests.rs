use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// What a server sends, each piece after so many bytes.
type Script<'a> = Vec<(&'a [u8], usize)>;

/// Speaks with a server that sends each piece after it has read what belongs before it. Answers with what came of it and
/// with everything that the server read.
async fn spoken(protocol: Protocol, server: &[(&[u8], usize)]) -> (Result<(), String>, Vec<u8>) {
    let (mut ours, mut theirs) = tokio::io::duplex(64);
    let serving = async {
        let mut read = Vec::new();
        for (piece, expected) in server {
            let mut heard = vec![0; *expected];
            theirs.read_exact(&mut heard).await.unwrap();
            read.extend(heard);
            // Whoever has heard enough does not listen on.
            drop(theirs.write_all(piece).await);
        }
        theirs.shutdown().await.unwrap();
        // What is said after the last piece.
        theirs.read_to_end(&mut read).await.unwrap();
        read
    };
    let asking = async {
        let begun = protocol.begin(&mut ours, "a.example").await;
        drop(ours);
        begun.map_err(|refusal| refusal.to_string())
    };
    let both = async { tokio::join!(asking, serving) };
    tokio::time::timeout(Duration::from_secs(20), both).await.expect("nobody waits for the other")
}

const SMTP_ASKED: &[u8] = b"EHLO notafter.invalid\r\n";

fn mysql_greeting(abilities: u8) -> Vec<u8> {
    let mut body = b"\x0a8.0.36\0".to_vec();
    body.extend([1, 0, 0, 0]);
    body.extend(b"12345678\0");
    body.extend([0xFF, abilities, 0xFF, 2, 0]);
    [&[u8::try_from(body.len()).unwrap(), 0, 0, 0][..], &body].concat()
}

#[tokio::test]
async fn each_protocol_asks_for_tls_in_its_own_way() {
    let ehlo = SMTP_ASKED.len();
    let stream = 135;
    let mysql = mysql_greeting(0xFF);
    let ldap = b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
    let ldap_long = b"\x30\x84\x00\x00\x00\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";
    let cases: Vec<(Protocol, Script<'_>, &str)> = vec![
        (
            Protocol::Smtp,
            vec![
                (b"220-mx\r\n220 ready\r\n", 0),
                (b"250-mx\r\n250-STARTTLS\r\n250 HELP\r\n", ehlo),
                (b"220 go ahead\r\n", 10),
            ],
            "EHLO notafter.invalid\r\nSTARTTLS\r\n",
        ),
        (
            Protocol::Imap,
            vec![(b"* OK [CAPABILITY IMAP4rev1] ready\r\n", 0), (b"* x\r\na OK begin\r\n", 12)],
            "a STARTTLS\r\n",
        ),
        (Protocol::Pop3, vec![(b"+OK ready\r\n", 0), (b"+OK begin\r\n", 6)], "STLS\r\n"),
        (
            Protocol::Xmpp,
            vec![
                (b"", stream),
                (b"<?xml version='1.0'?><stream:stream id='1'><stream:features><starttls xmlns='x'>", 0),
                (b"<required/></starttls></stream:features><proceed xmlns='x'/>", 51),
            ],
            "<?xml version='1.0'?><stream:stream to='a.example' version='1.0' xmlns='jabber:client' \
             xmlns:stream='http://etherx.jabber.org/streams'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
        ),
        (Protocol::Ldap, vec![(ldap, 31)], "0\u{1d}\u{2}\u{1}\u{1}w\u{18}\u{80}"),
        (Protocol::Ldap, vec![(ldap_long, 31)], "0\u{1d}\u{2}\u{1}\u{1}w\u{18}\u{80}"),
        (Protocol::Postgres, vec![(b"S", 8)], "\0\0\0\u{8}"),
        (Protocol::Mysql, vec![(&mysql, 0)], " \0\0\u{1}"),
    ];
    for (protocol, server, said) in cases {
        let (outcome, heard) = spoken(protocol, &server).await;
        assert_eq!(outcome, Ok(()), "{protocol:?}");
        let text: String = heard.iter().map(|byte| char::from(*byte)).collect();
        assert!(text.starts_with(said), "{protocol:?} {text:?}");
    }
    let (_, heard) = spoken(Protocol::Mysql, &[(&mysql, 0)]).await;
    let abilities = u32::from_le_bytes(heard[4..8].try_into().unwrap());
    assert_eq!((heard.len(), abilities & 0x800, heard[12]), (36, 0x800, 33));
}

#[tokio::test]
async fn who_refuses_or_speaks_something_else_is_told_apart() {
    let refused = |what: &str| Err(format!("the server answers `{what}`"));
    let foreign = || Err("what answers does not speak the protocol".to_owned());
    let mysql_without = mysql_greeting(0xF7);
    let endless = vec![b'x'; LONGEST + 1];
    let cases: Vec<(Protocol, Script<'_>, Result<(), String>)> = vec![
        (Protocol::Smtp, vec![(b"554 no\r\n", 0)], refused("554 no")),
        (
            Protocol::Smtp,
            vec![(b"220 x\r\n", 0), (b"250 x\r\n", 23), (b"454 \x1b[2J\r\n", 10)],
            refused("454 \\u{1b}[2J"),
        ),
        (Protocol::Smtp, vec![(b"SSH-2.0-OpenSSH\r\n", 0)], foreign()),
        (Protocol::Imap, vec![(b"* BYE busy\r\n", 0)], refused("* BYE busy")),
        (Protocol::Imap, vec![(b"220 smtp\r\n", 0)], foreign()),
        (Protocol::Imap, vec![(b"* OK\r\n", 0), (b"a BAD no\r\n", 12)], refused("a BAD no")),
        (Protocol::Pop3, vec![(b"+OK\r\n", 0), (b"-ERR no\r\n", 6)], refused("-ERR no")),
        (Protocol::Pop3, vec![(b"HTTP/1.1 400\r\n", 0)], foreign()),
        (
            Protocol::Xmpp,
            vec![(b"<stream:stream><stream:features></stream:features>", 135)],
            refused("</stream:features>"),
        ),
        (Protocol::Xmpp, vec![(b"HTTP/1.1 400>", 135)], foreign()),
        (
            Protocol::Ldap,
            vec![(b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x35\x04\x00\x04\x00", 31)],
            refused("LDAP result 35"),
        ),
        (Protocol::Ldap, vec![(b"HTTP/1.1", 31)], foreign()),
        (Protocol::Ldap, vec![(b"\x30\x84\xff\xff\xff\xff", 31)], foreign()),
        (Protocol::Postgres, vec![(b"N", 8)], refused("N")),
        (Protocol::Postgres, vec![(b"E", 8)], foreign()),
        (Protocol::Mysql, vec![(&mysql_without, 0)], refused("no ability CLIENT_SSL")),
        (Protocol::Mysql, vec![(b"\x07\0\0\0\xff\x10\x04full", 0)], refused("full")),
        (Protocol::Mysql, vec![(b"\xff\xff\xff\0", 0)], foreign()),
        (Protocol::Smtp, vec![(&endless, 0)], foreign()),
    ];
    for (protocol, server, expected) in cases {
        assert_eq!(spoken(protocol, &server).await.0, expected, "{protocol:?} {server:?}");
    }
    let (outcome, _) = spoken(Protocol::Smtp, &[(b"220 x", 0)]).await;
    assert!(outcome.is_err());
}

#[tokio::test]
async fn what_comes_after_the_answer_is_left_for_tls() {
    let (mut ours, mut theirs) = tokio::io::duplex(64);
    theirs.write_all(b"+OK\r\n+OK\r\n\x16\x03").await.unwrap();
    Protocol::Pop3.begin(&mut ours, "a.example").await.unwrap();
    let mut rest = [0; 2];
    ours.read_exact(&mut rest).await.unwrap();
    assert_eq!(rest, [0x16, 0x03]);
}

proptest! {
    #![proptest_config(crate::property::cases(64))]

    #[test]
    fn whatever_answers_it_ends(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for protocol in Protocol::ALL {
            runtime.block_on(async {
                let (mut ours, mut theirs) = tokio::io::duplex(1024);
                theirs.write_all(&bytes).await.unwrap();
                theirs.shutdown().await.unwrap();
                drop(protocol.begin(&mut ours, "a.example").await);
            });
        }
    }
}
