//! What people do to trades: opportunities, orders, invoices, subscriptions, products.

use super::people::{create, set, update};
use super::{Business, Change, Deed, Screen};
use crate::demo::diary::{Counted, Key, Kind, Often, Place};

const PLANS: [(&str, u32); 4] = [("starter", 29), ("team", 99), ("business", 490), ("enterprise", 1900)];

impl Business {
    pub(super) fn new_opportunity(&mut self, _screen: &Screen) -> Vec<Deed> {
        let Some(account) = self.some(Kind::Account) else { return Vec::new() };
        let opportunity = self.fresh(Kind::Opportunity);
        self.stages.insert(opportunity.clone(), 0);
        self.accounts.insert(opportunity.clone(), account.clone());
        let changes = vec![
            set("name", format!("{}, {} seats", opportunity.id, self.dice.below(90) + 5)),
            set("amount", self.amount(90_000)),
            set("currency", "EUR"),
            set("stage", "qualification"),
            Change::Refer("account", account),
        ];
        vec![create(Place::Crm, opportunity, changes)]
    }

    /// One stage on: qualification, proposal, then won or, now and then, lost.
    pub(super) fn opportunity_moves(&mut self, _screen: &Screen) -> Vec<Deed> {
        let Some(opportunity) = self.some(Kind::Opportunity) else { return Vec::new() };
        let stage = self.stages.get(&opportunity).copied().unwrap_or(2);
        let day = set("closes_on", format!("2026-11-{:02}", self.dice.below(28) + 1));
        let changes = match stage {
            0 => vec![set("stage", "proposal")],
            1 if self.dice.below(5) == 0 => vec![set("stage", "lost"), day],
            1 => vec![set("stage", "won"), day],
            _ => return Vec::new(),
        };
        self.stages.insert(opportunity.clone(), stage + 1);
        vec![update(Place::Crm, opportunity, changes)]
    }

    /// Finance enters the order of an opportunity that was won.
    pub(super) fn new_order(&mut self, _screen: &Screen) -> Vec<Deed> {
        let Some(opportunity) = self.some(Kind::Opportunity) else { return Vec::new() };
        let Some(entry) = self.diary.records.get(&opportunity) else { return Vec::new() };
        let (Some("won"), Some(total)) = (entry.now("stage"), entry.now("amount").map(str::to_owned)) else {
            return Vec::new();
        };
        let Some(account) = self.accounts.get(&opportunity).cloned() else { return Vec::new() };
        if !self.ordered.insert(opportunity) {
            return Vec::new();
        }
        let order = self.fresh(Kind::Order);
        self.stages.insert(order.clone(), 0);
        self.accounts.insert(order.clone(), account.clone());
        let changes = vec![
            set("number", format!("SO-{}", order.id)),
            set("total", total),
            set("currency", "EUR"),
            set("status", "pending_approval"),
            set("ordered_on", "2026-11-22"),
            Change::Refer("account", account),
        ];
        vec![create(Place::Erp, order, changes)]
    }

    pub(super) fn order_moves(&mut self, _screen: &Screen) -> Vec<Deed> {
        let Some(order) = self.some(Kind::Order) else { return Vec::new() };
        let stage = self.stages.get(&order).copied().unwrap_or(3);
        let Some(status) = ["pending_fulfilment", "billed", "closed"].get(stage) else { return Vec::new() };
        self.stages.insert(order.clone(), stage + 1);
        vec![update(Place::Erp, order, vec![set("status", *status)])]
    }

    /// Finance issues an invoice to an account that has ordered or subscribed.
    pub(super) fn new_invoice(&mut self, screen: &Screen) -> Vec<Deed> {
        let of = if self.dice.below(2) == 0 { Kind::Order } else { Kind::Subscription };
        let Some(account) = self.some(of).and_then(|key| self.accounts.get(&key).cloned()) else {
            return Vec::new();
        };
        let invoice = self.fresh(Kind::Invoice);
        self.stages.insert(invoice.clone(), 0);
        self.accounts.insert(invoice.clone(), account.clone());
        let total = self.amount(5_000);
        let mut changes = vec![
            set("number", format!("INV-{}", invoice.id)),
            set("total", total.clone()),
            set("open", total),
            set("currency", "EUR"),
            set("payment_state", "open"),
            set("issued_on", "2026-11-22"),
            set("due_on", format!("2026-12-{:02}", self.dice.below(28) + 1)),
            Change::Refer("account", account.clone()),
        ];
        changes.extend(self.who_gets_bills(&account, screen).map(|email| set("billing_email", email)));
        vec![create(Place::Erp, invoice, changes)]
    }

    /// The address of a contact of the account whom marketing knows.
    fn who_gets_bills(&self, account: &Key, screen: &Screen) -> Option<String> {
        let of_account = |(key, of): &(&Key, &Key)| key.kind == Kind::Contact && *of == account;
        let mut contacts = self.accounts.iter().filter(of_account).map(|(key, _)| key);
        let known = contacts.find(|key| screen.contains_key(&(Place::Marketing, (*key).clone())))?;
        self.diary.records.get(known)?.now("email").map(str::to_owned)
    }

    /// An invoice is paid; or it is overdue, and then it stays so: whoever looks only now and then sees it, too.
    pub(super) fn invoice_moves(&mut self, _screen: &Screen) -> Vec<Deed> {
        let Some(invoice) = self.some(Kind::Invoice) else { return Vec::new() };
        if self.stages.get(&invoice) != Some(&0) {
            return Vec::new();
        }
        self.stages.insert(invoice.clone(), 1);
        if self.dice.below(2) == 0 {
            let paid = vec![set("payment_state", "paid"), set("open", "0")];
            return vec![update(Place::Erp, invoice, paid)];
        }
        let once = self.mailed(&invoice).map(|what| (what, Often { least: 1, most: 1 }));
        vec![Deed { tells: once, ..update(Place::Erp, invoice, vec![set("payment_state", "overdue")]) }]
    }

    /// What marketing counts messages about this under, if somebody gets them.
    fn mailed(&self, key: &Key) -> Option<Counted> {
        self.diary.records.get(key)?.now("billing_email")?;
        Some((Place::Marketing, key.id.clone()))
    }

    /// A subscription starts, changes its plan and price, or ends.
    pub(super) fn subscription(&mut self, screen: &Screen) -> Vec<Deed> {
        if self.dice.below(3) == 0 {
            return self.new_subscription(screen);
        }
        let Some(subscription) = self.some(Kind::Subscription) else { return Vec::new() };
        match self.stages.get(&subscription) {
            Some(0) if self.dice.below(8) == 0 => {
                self.stages.insert(subscription.clone(), 1);
                // Whoever looks only now and then may have missed that it was active.
                let ends = self.mailed(&subscription).map(|what| (what, Often { least: 1, most: 2 }));
                vec![Deed {
                    tells: ends,
                    ..update(Place::Erp, subscription, vec![set("status", "cancelled")])
                }]
            }
            Some(0) => {
                let (plan, price) = self.dice.one(&PLANS).copied().unwrap_or(PLANS[0]);
                let price = price + self.count(&subscription, "monthly");
                let changes = vec![set("plan", plan), set("monthly", format!("{price}.5"))];
                vec![update(Place::Erp, subscription, changes)]
            }
            _ => Vec::new(),
        }
    }

    fn new_subscription(&mut self, screen: &Screen) -> Vec<Deed> {
        let Some(account) = self.some(Kind::Account) else { return Vec::new() };
        let subscription = self.fresh(Kind::Subscription);
        let (plan, price) = self.dice.one(&PLANS).copied().unwrap_or(PLANS[0]);
        self.stages.insert(subscription.clone(), 0);
        self.accounts.insert(subscription.clone(), account.clone());
        let mut changes = vec![
            set("plan", plan),
            set("monthly", price.to_string()),
            set("currency", "EUR"),
            set("status", "active"),
            set("renews_on", "2027-01-01"),
            Change::Refer("account", account.clone()),
        ];
        let email = self.who_gets_bills(&account, screen);
        let what = (Place::Marketing, subscription.id.clone());
        let tells = email.is_some().then_some((what, Often { least: 1, most: 1 }));
        changes.extend(email.map(|email| set("billing_email", email)));
        vec![Deed { tells, ..create(Place::Erp, subscription, changes) }]
    }

    /// The catalogue gets a product, or a price.
    pub(super) fn product(&mut self, _screen: &Screen) -> Vec<Deed> {
        if self.dice.below(2) == 0 {
            let product = self.fresh(Kind::Product);
            let changes = vec![
                set("name", format!("Plan {}", product.id)),
                set("price", format!("{}", self.dice.below(900) + 9)),
                set("active", "true"),
            ];
            return vec![create(Place::Erp, product, changes)];
        }
        let Some(product) = self.some(Kind::Product) else { return Vec::new() };
        let count = self.count(&product, "price");
        vec![update(
            Place::Erp,
            product,
            vec![set("price", format!("{}.{}", self.dice.below(900) + 9, count % 9 + 1))],
        )]
    }

    /// An amount below `bound` with cents that do not end in 0.
    fn amount(&mut self, bound: usize) -> String {
        format!("{}.{}{}", self.dice.below(bound) + 20, self.dice.below(10), self.dice.below(9) + 1)
    }
}
