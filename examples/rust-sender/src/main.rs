//! A back end that greets users and posts to a group, and reads the receipts.
//!
//! ```console
//! $ export RINGWAY_CLUSTER_SECRET=…
//! $ cargo run -p rust-sender -- http://127.0.0.1:7070 alice room7
//! ```

use anyhow::{Context as _, Result};
use ringway_sender::{ClusterSecret, Outcome, Sender, SenderConfig};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (node, user, group) = (arguments.next(), arguments.next(), arguments.next());
    let (Some(node), Some(user), Some(group)) = (node, user, group) else {
        anyhow::bail!("usage: rust-sender NODE_URL USER GROUP");
    };
    let secret = std::env::var("RINGWAY_CLUSTER_SECRET").context("RINGWAY_CLUSTER_SECRET is not set")?;
    let config = SenderConfig::new([node.parse()?], ClusterSecret::new(&secret)?);
    let sender = Sender::connect(config).await?;

    // One call to the one worker that holds the user. The answer is the receipt.
    let receipt = sender.send_to_user(&user, r#"{"topic":"chat","data":"hello from Rust"}"#).await?;
    match receipt.outcome {
        Outcome::Delivered => println!("{user}: on the way to {} sessions", receipt.sessions),
        Outcome::NoSession => println!("{user} is not connected"),
        Outcome::Overflowed => println!("{user} is connected, but too slow to take it"),
        Outcome::Suspended => println!("{user}'s connection has just broken: it waits for them to come back"),
        // Only what is sent with `.at_least_once()`.
        Outcome::Stored => println!("it is in the mailbox of {user}"),
    }

    // Many messages at once: publish them without waiting for each receipt, then look at all receipts.
    let mut tickets = Vec::new();
    for number in 1..=100 {
        let text = format!(r#"{{"topic":"chat","data":"line {number}"}}"#);
        tickets.push(sender.send_to_group(&group, text).publish().await?);
    }
    let mut reached = 0;
    for ticket in tickets {
        reached += ticket.await?.sessions;
    }
    println!("{group}: 100 messages, {reached} deliveries");
    Ok(())
}
