//! The acts of the trade between both systems, with everything that can go wrong between them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::both::{Beds, DOUBT, HEALED, SOON, WEBHOOK_SECRET, now, text};
use crate::proxy::Weather;
use crate::systems::TRYTON_PASSWORD;

/// Both systems agree, in parties and in trade.
fn agree(beds: &mut Beds, longest: Duration) {
    beds.until(longest, |beds| {
        let wrong = [beds.disagreement(), beds.trade_disagreement()];
        wrong.into_iter().filter(|wrong| !wrong.is_empty()).collect::<Vec<_>>().join("; ")
    });
}

/// What is sold and billed in Stripe is sold and booked in Tryton.
pub(crate) fn order_to_cash(beds: &mut Beds) {
    let start = now();
    let plans = beds.offer("Support");
    for (number, plan) in (1..=4).zip(plans.iter().cycle()) {
        let customer = beds.payer();
        beds.subscribe(&customer, plan, number);
    }
    agree(beds, HEALED);
    let seen = "1 category, 2 articles with a variant each, 4 parties with an address each; 4 sales, quoted, confirmed and \
                processed; 4 invoices, posted with the same totals; their numbers stand in Stripe's metadata";
    beds.saw("1 product, 2 plans, 4 customers who pay by card, with a subscription each", seen, start);
}

/// What is done in Tryton comes back: an address, a payment.
pub(crate) fn books_come_back(beds: &mut Beds) {
    let start = now();
    let fields = json!(["party.code", "write_date"]);
    let address = beds.in_tryton("party.address", "id", &fields).into_values().flatten().last().unwrap();
    let values = json!({"street": "Lange Gasse 7", "postal_code": "01067", "city": "Dresden"});
    beds.tryton.call("model.party.address.write", json!([[address["id"]], values, {}]));
    beds.until(SOON, |beds| {
        let there = beds.in_stripe("customers").iter().any(|one| one["address"]["line1"] == "Lange Gasse 7");
        if there { String::new() } else { "the address did not come back".to_owned() }
    });
    agree(beds, SOON);
    let seen = "polled by its own date (the party's does not move); it is the customer's address in Stripe";
    beds.saw("an address filled in in Tryton", seen, start);

    let start = now();
    let invoice = beds
        .in_tryton("account.invoice", "reference", &json!(["reference"]))
        .into_values()
        .flatten()
        .next()
        .unwrap();
    beds.pay(&invoice["id"]);
    beds.until(SOON, |beds| {
        let paid =
            beds.in_stripe("invoices").iter().filter(|one| one["metadata"]["book_state"] == "paid").count();
        if paid == 1 { String::new() } else { format!("{paid} invoices paid in the books") }
    });
    agree(beds, SOON);
    beds.saw(
        "an invoice paid by Tryton's wizard",
        "polled; the invoice in Stripe knows that it is paid in the books",
        start,
    );
}

/// Somebody writes in Tryton between the hub's look and its write: compared, refused, looked at again, and both edits stand.
pub(crate) fn somebody_else_writes(beds: &mut Beds) {
    let start = now();
    let conflicts = r#"concord_request_duration_seconds_count{tenant="beds",system="erp",operation="update",class="conflict"}"#;
    let customer = beds.customers().swap_remove(1);
    let party = beds.parties().into_iter().find(|party| party.code == customer.number).unwrap();
    let mut tries = 0;
    while beds.metric(conflicts) == 0 {
        tries += 1;
        assert!(tries <= 20, "no write was ever compared with something newer");
        let name = format!("Renamed in Stripe at the same time {tries}");
        beds.update(&customer.id, json!({"name": name}));
        // The webhook comes after a second.
        std::thread::sleep(Duration::from_millis(900));
        beds.tryton.call("model.party.party.write", json!([[party.id], {"lang": 1 + tries % 2}, {}]));
        beds.until(SOON, |beds| {
            let there = beds.parties().iter().any(|party| party.name == name);
            if there { String::new() } else { format!("{name:?} is not there") }
        });
    }
    agree(beds, SOON);
    let read = json!([[party.id], ["lang"], {}]);
    let there = beds.tryton.call("model.party.party.read", read)[0]["lang"].clone();
    assert_eq!(there, json!(1 + tries % 2), "the edit in Tryton was written over");
    let seen = format!(
        "at try {tries} Tryton refused the write as older (ConcurrencyException); read again and written: both edits stand"
    );
    beds.saw("a party's language set in Tryton just before its new name comes from Stripe", &seen, start);
}

/// A posted invoice refuses an edit, in Tryton's words.
pub(crate) fn posted_refuses(beds: &mut Beds) {
    let start = now();
    let invoice = beds.in_stripe("invoices").swap_remove(1);
    let day = invoice["date"].as_i64().unwrap();
    let redate =
        |day: i64| json!({"on": "invoices", "do": "update", "id": invoice["id"], "params": {"date": day}});
    beds.stripe.call(&redate(day - 3 * 86_400));
    beds.until(SOON, |beds| match beds.dead_letters().len() {
        1 => String::new(),
        count => format!("{count} dead letters"),
    });
    let letter = beds.dead_letters().swap_remove(0);
    let reason = text(&letter["reason"]);
    assert!(letter.to_string().contains("because it is posted"), "Tryton's words are not there: {letter}");
    // A person mends it where it was made; what is wanted is there again.
    beds.stripe.call(&redate(day));
    beds.until(SOON, |beds| match beds.dead_letters().len() {
        0 => String::new(),
        count => format!("{count} dead letters"),
    });
    agree(beds, SOON);
    let seen = format!("1 dead letter: {reason:?}; put right in Stripe: nothing is left to deliver");
    beds.saw("the date of a posted invoice changed in Stripe", &seen, start);
}

/// Answers to creates and buttons get lost: one object each all the same.
pub(crate) fn answers_get_lost(beds: &mut Beds) {
    let start = now();
    let methods = [
        "model.party.party.create",
        "model.product.category.create",
        "model.product.template.create",
        "model.sale.sale.create",
        "model.sale.sale.quote",
        "model.sale.sale.confirm",
        "model.account.invoice.create",
        "model.account.invoice.post",
    ];
    for method in methods {
        beds.to_tryton.lose(&format!("\"{method}\""), 1);
    }
    beds.to_stripe.lose("POST /v1/customers HTTP", 1);
    let plans = beds.offer("Hosting");
    let customer = beds.payer();
    beds.subscribe(&customer, &plans[0], 5);
    let party = json!({"name": "Made in Tryton, answer lost", "addresses": [["create", [{}]]]});
    beds.tryton.call("model.party.party.create", json!([[party], {}]));
    beds.until(DOUBT * 2, |beds| {
        let lost = [beds.to_tryton.lost(), beds.to_stripe.lost()];
        if lost == [8, 1] { String::new() } else { format!("{lost:?} answers lost") }
    });
    agree(beds, DOUBT);
    let found = ["erp", "billing"].map(|system| {
        beds.metric(&format!(
            r#"concord_doubts_resolved_total{{tenant="beds",system="{system}",how="found"}}"#
        ))
    });
    let seen = format!(
        "lost: the answers to 5 creates and 3 buttons in Tryton, and to 1 create in Stripe; {} and {} were found by a look; \
         one object each",
        found[0], found[1]
    );
    beds.saw("answers lost on the way back, one of each kind", &seen, start);
}

/// Connections hang, break, and are slow.
pub(crate) fn bad_weather(beds: &mut Beds) {
    let start = now();
    let plans = beds.offer("Training");
    let storms =
        [(Weather::Blackhole, 8), (Weather::Reset, 8), (Weather::Slow(Duration::from_millis(300)), 8)];
    for (number, (weather, lasts)) in (1..).zip(storms) {
        let customer = beds.payer();
        beds.to_tryton.set(weather);
        beds.to_stripe.set(weather);
        beds.subscribe(&customer, &plans[number as usize % 2], number);
        std::thread::sleep(Duration::from_secs(lasts));
        beds.to_tryton.set(Weather::Fair);
        beds.to_stripe.set(Weather::Fair);
    }
    agree(beds, DOUBT * 2);
    let (tryton, stripe) = (beds.to_tryton.hit(), beds.to_stripe.hit());
    let seen = format!(
        "{tryton} times on the way to Tryton and {stripe} on the way to Stripe; nothing lost, nothing twice"
    );
    let act = "8 s each of connections that hang, that are reset, and that take 300 ms more, with a subscription in each";
    beds.saw(act, &seen, start);
}

/// Both systems are killed while trade goes on.
pub(crate) fn both_die(beds: &mut Beds) {
    let start = now();
    let plans = beds.offer("Insurance");
    for number in 1..=3 {
        let customer = beds.payer();
        beds.subscribe(&customer, &plans[0], number);
    }
    beds.tryton.kill();
    beds.stripe.kill();
    std::thread::sleep(Duration::from_secs(3));
    beds.stripe.up(&beds.installed);
    beds.tryton.up(&beds.installed);
    let url = format!("http://127.0.0.1:{}/v1/webhooks/billing", beds.folder.ingress);
    beds.stripe.send_webhooks_to(&url, WEBHOOK_SECRET);
    agree(beds, DOUBT * 2);
    let seen = "the webhooks that had not gone out were lost with it, the next listing brought them; one sale and one invoice each";
    beds.saw("localstripe and Tryton killed -9 right after 3 subscriptions, and started again", seen, start);
}

/// A wrong password is not tried again and again.
pub(crate) fn wrong_password(beds: &mut Beds) {
    let start = now();
    assert_eq!(beds.hub.stop(), Some(0), "no clean stop:\n{}", beds.folder.last_words());
    let before = beds.tryton.refused_logins();
    beds.folder.put("secrets/tryton.password", "not-the-password");
    beds.hub = beds.folder.up(&[]);
    for _ in 0..6 {
        beds.create();
    }
    beds.until(SOON, |beds| {
        if beds.tryton.refused_logins() > before { String::new() } else { "no log-in yet".to_owned() }
    });
    std::thread::sleep(Duration::from_secs(20));
    let tried = beds.tryton.refused_logins() - before;
    let systems = beds.concord(&["system", "list"]);
    let state = systems.lines().find(|line| line.starts_with("erp")).unwrap_or_default().to_owned();
    assert!(tried < 5, "{tried} log-ins refused: the sixth locks the user out\n{systems}");
    beds.folder.put("secrets/tryton.password", TRYTON_PASSWORD);
    beds.concord(&["apply", "--reason", "the right password is there again"]);
    beds.concord(&["system", "resume", "erp", "--reason", "the right password is there again"]);
    agree(beds, DOUBT);
    assert_eq!(beds.tryton.refused_logins() - before, tried, "it was tried once more");
    let state = state.split_whitespace().skip(2).take(2).collect::<Vec<_>>().join(", breaker ");
    let seen = format!(
        "{tried} refused by Tryton (the sixth would lock the user out), then the system rests ({state}); with the right \
         one applied, and the system resumed, all 6 are parties"
    );
    beds.saw("the hub started with a wrong password for Tryton; 6 customers made", &seen, start);
}

/// When nobody changes anything, nothing is written (I6).
pub(crate) fn it_is_quiet(beds: &mut Beds) {
    let start = now();
    let state = |beds: &mut Beds| {
        let models = ["party.party", "party.address", "product.template", "sale.sale", "account.invoice"];
        let dates = json!(["create_date", "write_date"]);
        let there: Vec<Value> =
            models.iter().map(|model| json!(beds.in_tryton(model, "id", &dates))).collect();
        (beds.in_stripe("events").len(), there)
    };
    let (before, listings) = (state(beds), beds.listings());
    beds.until(
        HEALED,
        |beds| {
            if beds.listings() > listings + 8 { String::new() } else { "no listing".to_owned() }
        },
    );
    assert_eq!(state(beds), before, "somebody wrote (I6)\n{}", beds.folder.last_words());
    agree(beds, SOON);
    let counts = ["customers", "products", "plans", "subscriptions", "invoices"].map(|on| {
        let count = beds.in_stripe(on).len();
        format!("{count} {on}")
    });
    let seen = format!("no event in Stripe and no write in Tryton; {}: 100 % agree", counts.join(", "));
    beds.saw("nobody changes anything over two listings", &seen, start);
}
