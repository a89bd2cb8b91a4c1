//! From a subscription to a posted invoice: products, plans, subscriptions and invoices of Stripe become articles, sales and
//! invoices of Tryton, moved on by its buttons, and what its books say comes back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::both::{Beds, text};

/// What one system calls a thing, and how it looks in the other.
type Found = BTreeMap<String, Vec<Value>>;

/// Cents of Tryton's typed decimal.
fn cents(value: &Value) -> i64 {
    let number: f64 = value["decimal"].as_str().unwrap_or("-1").parse().unwrap();
    (number * 100.0).round() as i64
}

fn by<'a>(all: &'a Found, id: &str, wrong: &mut Vec<String>) -> Option<&'a Value> {
    match all.get(id).map(Vec::as_slice) {
        Some([one]) => Some(one),
        other => {
            wrong.push(format!("{id} is there {} times", other.map_or(0, <[Value]>::len)));
            None
        }
    }
}

impl Beds {
    /// All of one kind in Stripe.
    pub(crate) fn in_stripe(&mut self, on: &str) -> Vec<Value> {
        self.stripe.call(&json!({"on": on, "do": "list"})).as_array().cloned().unwrap_or_default()
    }

    /// All of one model in Tryton, by the field that holds Stripe's id.
    pub(crate) fn in_tryton(&self, model: &str, key: &str, fields: &Value) -> Found {
        let context = json!({"company": self.ids["company"], "active_test": false});
        let params = json!([[], 0, null, [["id", "ASC"]], fields, context]);
        let all = self.tryton.call(&format!("model.{model}.search_read"), params);
        let mut found = Found::new();
        for one in all.as_array().cloned().unwrap_or_default() {
            found.entry(text(&one[key])).or_default().push(one);
        }
        found
    }

    /// Pays an invoice in full by Tryton's wizard, as an accountant does.
    pub(crate) fn pay(&self, invoice: &Value) {
        let ids = &self.ids;
        let session =
            self.tryton.call("wizard.account.invoice.pay.create", json!([{"company": ids["company"]}]))[0]
                .take();
        let context = json!({
            "company": ids["company"], "active_model": "account.invoice", "active_id": invoice, "active_ids": [invoice],
        });
        let execute = |data: Value, state: &str| {
            self.tryton.call("wizard.account.invoice.pay.execute", json!([session, data, state, context]))
        };
        let mut form = execute(json!({}), "start")["view"]["defaults"].take();
        // What is shown beside a reference is no field.
        form.as_object_mut().unwrap().retain(|name, _| !name.ends_with('.') && name != "payees");
        form["payment_method"] = json!(ids["method"]);
        execute(json!({"start": form}), "choice");
    }

    /// A product with two plans; the ids of the plans.
    pub(crate) fn offer(&mut self, name: &str) -> Vec<String> {
        let product = self.stripe.call(&json!({"on": "products", "do": "create", "params": {"name": name}}));
        let plans =
            [("monthly", "month", 1_990), ("yearly", "year", 19_900)].map(|(word, interval, amount)| {
                let params = json!({
                    "product": product["id"], "nickname": format!("{name}, {word}"), "interval": interval,
                    "amount": amount, "currency": "eur",
                });
                text(&self.stripe.call(&json!({"on": "plans", "do": "create", "params": params}))["id"])
            });
        plans.to_vec()
    }

    /// A customer who can pay.
    pub(crate) fn payer(&mut self) -> String {
        let customer = self.create();
        let card = json!({"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"});
        let method = json!({"type": "card", "card": card});
        let method = self.stripe.call(&json!({"on": "payment_methods", "do": "create", "params": method}));
        let attach = json!({"on": "payment_methods", "do": "attach", "id": method["id"], "params": {"customer": customer}});
        self.stripe.call(&attach);
        self.update(&customer, json!({"invoice_settings": {"default_payment_method": method["id"]}}));
        customer
    }

    /// A subscription, which bills at once.
    pub(crate) fn subscribe(&mut self, customer: &str, plan: &str, quantity: u32) -> String {
        let params = json!({"customer": customer, "items": [{"plan": plan, "quantity": quantity}]});
        text(&self.stripe.call(&json!({"on": "subscriptions", "do": "create", "params": params}))["id"])
    }

    /// Where the two systems differ in what is sold and billed.
    pub(crate) fn trade_disagreement(&mut self) -> String {
        let mut wrong = Vec::new();
        let customers: BTreeMap<String, Value> =
            self.in_stripe("customers").into_iter().map(|one| (text(&one["id"]), one)).collect();
        self.articles_differ(&mut wrong);
        self.addresses_differ(&customers, &mut wrong);
        self.sales_differ(&customers, &mut wrong);
        self.invoices_differ(&customers, &mut wrong);
        wrong.truncate(4);
        wrong.join("; ")
    }

    fn articles_differ(&mut self, wrong: &mut Vec<String>) {
        let categories = self.in_tryton("product.category", "name", &json!(["name", "accounting"]));
        let products = self.in_stripe("products");
        for product in &products {
            by(&categories, &text(&product["name"]), wrong);
        }
        let templates =
            self.in_tryton("product.template", "code", &json!(["code", "name", "list_price", "products"]));
        let plans = self.in_stripe("plans");
        for plan in &plans {
            let Some(article) = by(&templates, &text(&plan["id"]), wrong) else { continue };
            let variants = article["products"].as_array().map_or(0, Vec::len);
            let fits = article["name"] == plan["nickname"] && plan["amount"] == cents(&article["list_price"]);
            if !fits || variants != 1 {
                wrong.push(format!("{plan} is {article}"));
            }
        }
        // One category is the company's own.
        if categories.len() != products.len() + 1 || templates.len() != plans.len() {
            wrong.push(format!("{} categories, {} articles", categories.len(), templates.len()));
        }
    }

    fn addresses_differ(&self, customers: &BTreeMap<String, Value>, wrong: &mut Vec<String>) {
        let fields = json!(["street", "postal_code", "city", "party.code"]);
        let mut by_party = Found::new();
        for one in self.in_tryton("party.address", "id", &fields).into_values().flatten() {
            by_party.entry(text(&one["party."]["code"])).or_default().push(one);
        }
        for customer in customers.values() {
            let Some(there) = by(&by_party, &text(&customer["metadata"]["customer_number"]), wrong) else {
                continue;
            };
            let here = &customer["address"];
            for (path, field) in [("line1", "street"), ("postal_code", "postal_code"), ("city", "city")] {
                if text(&here[path]) != text(&there[field]) {
                    wrong.push(format!("{}: the address is {here}, but {there}", customer["id"]));
                }
            }
        }
    }

    fn sales_differ(&mut self, customers: &BTreeMap<String, Value>, wrong: &mut Vec<String>) {
        let fields = json!(["reference", "number", "state", "untaxed_amount", "party.code"]);
        let sales = self.in_tryton("sale.sale", "reference", &fields);
        let subscriptions = self.in_stripe("subscriptions");
        for one in &subscriptions {
            let Some(sale) = by(&sales, &text(&one["id"]), wrong) else { continue };
            let amount =
                one["plan"]["amount"].as_i64().unwrap_or(-1) * one["quantity"].as_i64().unwrap_or(-1);
            let number = &customers[&text(&one["customer"])]["metadata"]["customer_number"];
            if &sale["party."]["code"] != number || cents(&sale["untaxed_amount"]) != amount {
                wrong.push(format!("{} of {number}, {amount} cents, is {sale}", one["id"]));
            }
            if !matches!(sale["state"].as_str(), Some("processing" | "done")) || sale["number"].is_null() {
                wrong.push(format!("the sale of {} is {}", one["id"], sale["state"]));
            }
        }
        let count: usize = sales.values().map(Vec::len).sum();
        if count != subscriptions.len() {
            wrong.push(format!("{} subscriptions, {count} sales", subscriptions.len()));
        }
    }

    fn invoices_differ(&mut self, customers: &BTreeMap<String, Value>, wrong: &mut Vec<String>) {
        let fields = json!(["reference", "number", "state", "total_amount", "move", "party.code"]);
        let booked = self.in_tryton("account.invoice", "reference", &fields);
        let invoices = self.in_stripe("invoices");
        for one in &invoices {
            let Some(book) = by(&booked, &text(&one["id"]), wrong) else { continue };
            let known = &one["metadata"];
            let number = &customers[&text(&one["customer"])]["metadata"]["customer_number"];
            let there = (
                &book["party."]["code"],
                &book["number"],
                &book["state"],
                json!(cents(&book["total_amount"])),
            );
            if there != (number, &known["book_number"], &known["book_state"], one["total"].clone()) {
                wrong.push(format!("{} of {number}, {} cents, {known} is {book}", one["id"], one["total"]));
            }
            if !matches!(book["state"].as_str(), Some("posted" | "paid")) || book["move"].is_null() {
                wrong.push(format!("the invoice {} is {}", one["id"], book["state"]));
            }
        }
        let count: usize = booked.values().map(Vec::len).sum();
        if count != invoices.len() {
            wrong.push(format!("{} invoices, {count} booked", invoices.len()));
        }
    }
}
