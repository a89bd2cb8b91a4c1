//! A small application that changes its orders and tells of it by an outbox, in one transaction.
//!
//! See the `README.md` beside it. The process can be made to end right behind each step, as a crash would end it.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, ValueEnum};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// Changes an order, and tells of it.
#[derive(Parser)]
struct Arguments {
    /// The database, such as `host=127.0.0.1 dbname=shop user=app password=secret`.
    database: String,
    /// What happens.
    change: Change,
    /// To which order.
    order: String,
    /// The event's id. Under an id that was told already nothing is changed.
    #[arg(long)]
    event: String,
    /// Ends the process right behind that step.
    #[arg(long)]
    crash: Option<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Change {
    Place,
    Pay,
    Cancel,
}

impl Change {
    /// The order's state afterwards, and the event's name.
    const fn leads_to(self) -> (&'static str, &'static str) {
        match self {
            Self::Place => ("placed", "OrderPlaced"),
            Self::Pay => ("paid", "OrderPaid"),
            Self::Cancel => ("cancelled", "OrderCancelled"),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    Begin,
    Order,
    Event,
    Commit,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut client = connect(&arguments.database).await?;
    change(&mut client, &arguments).await?;
    Ok(ExitCode::SUCCESS)
}

async fn connect(database: &str) -> Result<Client> {
    let config: Config = database.parse().context("the database's address")?;
    let [Host::Tcp(host), ..] = config.get_hosts() else { bail!("the address needs `host=`") };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let stream = TcpStream::connect((host.as_str(), port)).await.context("connecting")?;
    let (client, connection) = config.connect_raw(stream, NoTls).await.context("logging in")?;
    tokio::spawn(connection);
    Ok(client)
}

async fn change(client: &mut Client, arguments: &Arguments) -> Result<()> {
    let Arguments { change, order, event, crash, .. } = arguments;
    let (state, name) = change.leads_to();
    let reached = |step| {
        if *crash == Some(step) {
            std::process::abort();
        }
    };
    let transaction = client.transaction().await?;
    reached(Step::Begin);
    // The order's own row comes first: whoever changes the same order waits here, and so do the events.
    let changed = transaction
        .execute(
            "INSERT INTO orders (id, state, changes) SELECT $1, $2, 1
             WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE id = $3::text::uuid)
             ON CONFLICT (id) DO UPDATE SET state = $2, changes = orders.changes + 1",
            &[order, &state, event],
        )
        .await?;
    reached(Step::Order);
    // It was made before, and its answer got lost.
    if changed == 0 {
        return Ok(());
    }
    let row = transaction.query_one("SELECT changes FROM orders WHERE id = $1", &[order]).await?;
    let payload = json!({"id": order, "state": state, "changes": row.get::<_, i32>(0)});
    transaction
        .query_one(
            "SELECT outbox_put('Order', $1, $2, $3::text::jsonb, $4::text::uuid)::text",
            &[order, &name, &payload.to_string(), event],
        )
        .await?;
    reached(Step::Event);
    transaction.commit().await?;
    reached(Step::Commit);
    Ok(())
}
