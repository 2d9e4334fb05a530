//! How much is under way at a time, and what gives up.

use super::*;

/// A server that answers a connection once `group` of them are there, and knows the most that were there at once.
async fn crowd(
    servers: &mut Servers,
    config: ServerConfig,
    group: usize,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (arrived, seen) = watch::channel(0_usize);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let result = Arc::clone(&most);
    let serve = move |stream| {
        let (acceptor, mut seen) = (acceptor.clone(), seen.clone());
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        let mut number = 0;
        arrived.send_modify(|count| {
            number = *count;
            *count += 1;
        });
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        async move {
            drop(seen.wait_for(|count| *count >= (number / group + 1) * group).await);
            // Nobody goes on to the next before it has its answer.
            now.fetch_sub(1, Ordering::SeqCst);
            if let Ok(mut stream) = acceptor.accept(stream).await {
                drop(stream.read(&mut [0; 1]).await);
            }
        }
    };
    (servers.with("0.0.0.0:0", serve).await, result)
}

#[tokio::test]
async fn one_address_is_asked_a_few_things_at_a_time() {
    let authority = Authority::root("Root");
    let mut servers = Servers::default();
    let (at, most) = crowd(&mut servers, good(&authority, "a.example"), 8).await;
    let names = (0..32).map(|name| format!("n{name}.example:{}", at.port()));
    let page = seen(&names.collect::<Vec<_>>()).await;
    assert!(states(&page).iter().all(|(state, _)| *state == PlaceState::Read));
    assert_eq!(most.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn many_addresses_are_asked_many_things_at_a_time_and_no_more() {
    let authority = Authority::root("Root");
    let mut servers = Servers::default();
    let (at, most) = crowd(&mut servers, good(&authority, "a.example"), 256).await;
    let endpoint = |number: usize| {
        format!("127.0.{}.{}:{}/n.example", number / 64, number % 64 + 1, at.port())
    };
    let page = seen(&(64..576).map(endpoint).collect::<Vec<_>>()).await;
    assert!(states(&page).iter().all(|(state, _)| *state == PlaceState::Read));
    assert_eq!(most.load(Ordering::SeqCst), 256);
}

#[tokio::test]
async fn an_address_that_is_silent_is_given_up_for_the_rest_of_the_poll() {
    let mut servers = Servers::default();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let serve = move |mut stream: tokio::net::TcpStream| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move { drop(stream.read_to_end(&mut Vec::new()).await) }
    };
    let at = servers.with("127.0.0.1:0", serve).await;
    let names = (0..100).map(|name| format!("n{name}.example:{}", at.port()));
    let mut options = options(&names.collect::<Vec<_>>());
    options.timeout = Duration::from_millis(200);
    let page = polled(&source(options)).await;
    let why = "TLS handshake with 127.0.0.1 takes longer than 200ms";
    assert!(states(&page).iter().all(|(_, found)| found.contains("takes longer than 200ms")));
    assert!(states(&page).contains(&(PlaceState::Unreadable, why)));
    // Three times the eight that are under way, and those that had begun by then.
    assert!((24..40).contains(&count.load(Ordering::SeqCst)), "{count:?}");
}
