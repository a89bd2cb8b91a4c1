//! A connector with code of its own, through the hub: what the code makes of a request is kept and sent, what it reads of
//! an answer is what the hub goes by.

use connector::Code;
use serde_json::Value;
use simulation::Class;

use super::shell::{Moody, Shell};
use super::*;

/// Bodies go backwards, both ways, and say how long they are.
#[derive(Debug)]
struct Turned;

impl Code for Turned {
    fn name(&self) -> &'static str {
        "turned"
    }

    fn request(&self, mut request: Request) -> Result<Request, String> {
        if request.body.windows(9).any(|part| part == b"\"value\":3") {
            return Err("three cannot be turned".to_owned());
        }
        request.body.reverse();
        request.headers.push(("x-turned".to_owned(), request.body.len().to_string()));
        Ok(request)
    }

    fn document(&self, raw: &[u8]) -> Option<Result<Value, String>> {
        let turned: Vec<u8> = raw.iter().rev().copied().collect();
        Some(serde_json::from_slice(&turned).map_err(|_| "it does not read backwards".to_owned()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_connector_with_code_goes_through_the_hub() {
    connector::provide(&[&Turned]).expect("each test is a process of its own");
    let network = Arc::new(Moody::answering(br#"}"1" :"di"{"#));
    let shell = Shell::of(simulation::coded(Class::Upsert, "turned"), network);
    let hub = shell.start();
    shell.say(&hub, 1).await;
    shell.until(&hub, "delivered").await;
    let writes = shell.network.writes();
    assert_eq!(writes.len(), 1, "the answer was read, and nothing is in doubt: {writes:?}");
    let said: Vec<u8> = writes[0].body.iter().rev().copied().collect();
    let said: Value = serde_json::from_slice(&said).expect("it reads backwards");
    assert_eq!(said["value"], 1, "{said}");
    let length =
        writes[0].headers.iter().find(|(name, _)| name == "x-turned").map(|(_, value)| value.as_str());
    assert_eq!(length, Some(writes[0].body.len().to_string().as_str()));

    // I3: in doubt, the same bytes go again, also after a start: what is kept is what the code made.
    shell.network.hang(true);
    shell.say(&hub, 2).await;
    shell.sent(2).await;
    let _left = hub.drain(Duration::from_millis(200)).await;
    shell.network.hang(false);
    let hub = shell.start();
    shell.until(&hub, "delivered").await;
    let writes = shell.network.writes();
    assert!(writes.len() > 2 && writes[1..].iter().all(|write| write.body == writes[1].body), "{writes:?}");

    // What the code refuses is a person's, and is never sent.
    let before = writes.len();
    shell.say(&hub, 3).await;
    shell.until(&hub, "dead").await;
    assert_eq!(shell.network.writes().len(), before);
    assert_eq!(hub.drain(Duration::from_secs(5)).await, Ok(()));
}
