//! What objects there are and which fields they have: the standard ones that integrations use, what an administrator
//! declared, and any custom field where nobody is strict. Names are found whatever their case [seen].

use std::collections::BTreeMap;

use crate::options::Property;
use crate::shelf::Shelf;

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Holds {
    /// Up to so many characters.
    Text(usize),
    Email,
    /// One of these, where there are any.
    Choice(Vec<String>),
    Number,
    Date,
    Moment,
    Flag,
    /// The id of a record of one of these objects.
    Reference(&'static [&'static str]),
}

/// A field as writes, queries and `describe` see it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) holds: Holds,
    pub(super) required: bool,
    pub(super) writable: bool,
    pub(super) external_id: bool,
    pub(super) unique: bool,
}

/// An object the org has.
#[derive(Debug)]
struct Kind {
    prefix: String,
    fields: Vec<Field>,
    /// Whether users can merge two of them, and the loser says into which it went [doc].
    mergeable: bool,
    /// Fields whose records are locked by a write, too [seen].
    parents: &'static [&'static str],
}

/// The org's objects.
#[derive(Debug)]
pub(super) struct Schema {
    kinds: BTreeMap<String, Kind>,
    strict: bool,
    /// Custom objects made so far.
    custom: u64,
}

/// One standard object: name, prefix, mergeable, parents, fields. A field is a name, a type and marks: `!` is required,
/// `=` is set by the system.
type Row = (&'static str, &'static str, bool, &'static [&'static str], &'static str);

/// Fields and lengths are the vendor's object reference's [seen], a part of them.
const STANDARD: [Row; 15] = [
    (
        "Account",
        "001",
        true,
        &["ParentId"],
        "Name text255! Website text255 Phone text40 Industry choice Type choice Description text32000 ParentId>Account \
         OwnerId>User AccountNumber text40 AnnualRevenue number NumberOfEmployees number BillingStreet text255 \
         BillingCity text40 BillingPostalCode text20 BillingCountry text80",
    ),
    (
        "Contact",
        "003",
        true,
        &["AccountId"],
        "FirstName text40 LastName text80! Name text121= Email email Phone text40 MobilePhone text40 Title text128 \
         Department text80 AccountId>Account ReportsToId>Contact OwnerId>User HasOptedOutOfEmail flag Birthdate date \
         Description text32000 MailingStreet text255 MailingCity text40 MailingPostalCode text20 MailingCountry text80",
    ),
    (
        "Lead",
        "00Q",
        true,
        &[],
        "FirstName text40 LastName text80! Name text121= Company text255! Email email Phone text40 Status choice \
         Title text128 IsConverted flag= ConvertedContactId>Contact= ConvertedAccountId>Account= OwnerId>User",
    ),
    (
        "Opportunity",
        "006",
        false,
        &["AccountId"],
        "Name text120! StageName choice! CloseDate date! Amount number AccountId>Account OwnerId>User IsWon flag= \
         IsClosed flag= Description text32000",
    ),
    (
        "OpportunityLineItem",
        "00k",
        false,
        &["OpportunityId"],
        "OpportunityId>Opportunity! PricebookEntryId>PricebookEntry Product2Id>Product2 Quantity number! UnitPrice number \
         TotalPrice number",
    ),
    ("Product2", "01t", false, &[], "Name text255! ProductCode text255 Description text4000 IsActive flag"),
    (
        "PricebookEntry",
        "01u",
        false,
        &["Product2Id"],
        "Pricebook2Id text18! Product2Id>Product2! UnitPrice number! IsActive flag",
    ),
    (
        "Order",
        "801",
        false,
        &["AccountId"],
        "AccountId>Account! EffectiveDate date! Status choice! OrderNumber text30= TotalAmount number=",
    ),
    (
        "OrderItem",
        "802",
        false,
        &["OrderId"],
        "OrderId>Order! PricebookEntryId>PricebookEntry! Quantity number! UnitPrice number!",
    ),
    (
        "Contract",
        "800",
        false,
        &["AccountId"],
        "AccountId>Account! Status choice StartDate date ContractTerm number",
    ),
    (
        "Case",
        "500",
        true,
        &["AccountId"],
        "Subject text255 Description text32000 Status choice Priority choice AccountId>Account ContactId>Contact \
         OwnerId>User CaseNumber text30=",
    ),
    (
        "Asset",
        "02i",
        false,
        &["AccountId"],
        "Name text255! AccountId>Account ContactId>Contact Product2Id>Product2 SerialNumber text80 Status choice",
    ),
    ("Campaign", "701", false, &[], "Name text80! Status choice Type choice StartDate date EndDate date"),
    (
        "User",
        "005",
        false,
        &[],
        "Name text121 FirstName text40 LastName text80! Email email! Username text80! IsActive flag",
    ),
    ("Organization", "00D", false, &[], "Name text80= OrganizationType choice= IsSandbox flag="),
];

/// What every record has. Users and the organisation are never deleted.
const SYSTEM: &str = "CreatedDate moment= LastModifiedDate moment= SystemModstamp moment= CreatedById>User= \
                      LastModifiedById>User=";

impl Schema {
    pub(super) fn standard(strict: bool) -> Self {
        let mut schema = Self { kinds: BTreeMap::new(), strict, custom: 0 };
        for (name, prefix, mergeable, parents, fields) in STANDARD {
            let mut kind = Kind { prefix: prefix.to_owned(), fields: read(fields), mergeable, parents };
            kind.fields.extend(read(SYSTEM));
            if !matches!(name, "User" | "Organization") {
                kind.fields.push(field("IsDeleted", Holds::Flag, "="));
            }
            if mergeable {
                let holds = Holds::Text(18);
                kind.fields.push(field("MasterRecordId", holds, "="));
            }
            schema.kinds.insert(name.to_owned(), kind);
        }
        schema
    }

    /// The object as the org spells it. A custom object exists once an administrator made a field for it, or, where
    /// nobody is strict, when it is first asked for.
    pub(super) fn object(&mut self, name: &str) -> Option<String> {
        let known = self.kinds.keys().find(|known| known.eq_ignore_ascii_case(name));
        known.cloned().or_else(|| {
            let custom = name.ends_with("__c") && !self.strict;
            custom.then(|| self.make(name))
        })
    }

    /// The same, without making one.
    pub(super) fn known(&self, name: &str) -> Option<&str> {
        self.kinds.keys().find(|known| known.eq_ignore_ascii_case(name)).map(String::as_str)
    }

    fn make(&mut self, name: &str) -> String {
        let mut fields = read("Name text80 OwnerId>User");
        fields.extend(read(SYSTEM));
        fields.push(field("IsDeleted", Holds::Flag, "="));
        // Custom objects are numbered through [seen].
        let prefix = format!("a{:02}", self.custom);
        self.custom += 1;
        let kind = Kind { prefix, fields, mergeable: false, parents: &[] };
        self.kinds.insert(name.to_owned(), kind);
        name.to_owned()
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = (&str, &str)> {
        self.kinds.iter().map(|(name, kind)| (name.as_str(), kind.prefix.as_str()))
    }

    pub(super) fn prefix(&self, kind: &str) -> &str {
        self.kinds.get(kind).map_or("000", |kind| &kind.prefix)
    }

    pub(super) fn mergeable(&self, kind: &str) -> bool {
        self.kinds.get(kind).is_some_and(|kind| kind.mergeable)
    }

    pub(super) fn parents(&self, kind: &str) -> &'static [&'static str] {
        self.kinds.get(kind).map_or(&[], |kind| kind.parents)
    }

    /// Objects whose records have a parent in this one, with the field.
    pub(super) fn children(&self, kind: &str) -> Vec<(String, String)> {
        let of = |holds: &Holds| matches!(holds, Holds::Reference(kinds) if kinds.contains(&kind));
        let pairs =
            self.kinds.iter().flat_map(|(name, child)| child.fields.iter().map(move |field| (name, field)));
        let pairs = pairs.filter(|(_, field)| field.writable && of(&field.holds));
        pairs.map(|(name, field)| (name.clone(), field.name.clone())).collect()
    }

    pub(super) fn fields(&self, kind: &str) -> &[Field] {
        self.kinds.get(kind).map_or(&[], |kind| &kind.fields)
    }

    /// A field by its name. Nobody's custom fields hold what they are given, unless the org is strict.
    pub(super) fn field(&self, kind: &str, name: &str) -> Option<Field> {
        let found = self.fields(kind).iter().find(|field| field.name.eq_ignore_ascii_case(name));
        let loose = name.ends_with("__c") && !self.strict;
        found.cloned().or_else(|| loose.then(|| field(name, Holds::Text(255), "")))
    }

    /// The reference behind the name of a relation: `AccountId` behind `Account`.
    pub(super) fn relation(&self, kind: &str, name: &str) -> Option<(Field, &'static str)> {
        let field = self.field(kind, &format!("{name}Id"))?;
        let Holds::Reference(kinds) = field.holds else { return None };
        kinds.first().map(|target| (field, *target))
    }

    /// An administrator makes a custom field. One of text or numbers is an external id, unique or not.
    pub(super) fn declare(&mut self, shelf: &mut Shelf, property: &Property) -> Result<(), String> {
        let name = &property.name;
        if !name.ends_with("__c") {
            return Err(format!("{name} is no custom field: its name must end in __c"));
        }
        let kind = match self.known(&property.object_type) {
            Some(known) => known.to_owned(),
            None if property.object_type.ends_with("__c") => self.make(&property.object_type),
            None => return Err(format!("there is no object {}", property.object_type)),
        };
        let holds = match property.value_type.as_str() {
            "string" => Holds::Text(255),
            "number" => Holds::Number,
            "date" => Holds::Date,
            "datetime" => Holds::Moment,
            "bool" => Holds::Flag,
            "enumeration" => Holds::Choice(property.options.clone()),
            other => return Err(format!("there is no type {other}")),
        };
        if property.has_unique_value {
            shelf.declare_unique(&kind, name).map_err(|clash| {
                format!("{} and another record share the {name} {}", clash.holder, clash.value)
            })?;
        }
        let mut made = field(name, holds, "");
        made.external_id = matches!(made.holds, Holds::Text(_) | Holds::Number);
        made.unique = property.has_unique_value;
        if let Some(kind) = self.kinds.get_mut(&kind) {
            kind.fields.retain(|field| !field.name.eq_ignore_ascii_case(name));
            kind.fields.push(made);
        }
        Ok(())
    }
}

/// A field's name as people see it: `LastName` is `Last Name`, `AccountId` is `Account ID`.
pub(super) fn label(name: &str) -> String {
    if let Some(custom) = name.strip_suffix("__c") {
        return custom.replace('_', " ");
    }
    let mut label = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !label.is_empty() {
            label.push(' ');
        }
        label.push(letter);
    }
    match label.strip_suffix(" Id") {
        Some(head) => format!("{head} ID"),
        None => label,
    }
}

/// Reads a list of fields.
fn read(list: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut words = list.split_whitespace();
    while let Some(word) = words.next() {
        let (name, holds) = match word.split_once('>') {
            Some((name, target)) => (name, target),
            None => (word, words.next().unwrap_or_default()),
        };
        let marks = holds.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric());
        let holds = holds.trim_end_matches(['!', '=']);
        let held = match holds {
            "email" => Holds::Email,
            "choice" => Holds::Choice(Vec::new()),
            "number" => Holds::Number,
            "date" => Holds::Date,
            "moment" => Holds::Moment,
            "flag" => Holds::Flag,
            _ => match holds.strip_prefix("text").and_then(|length| length.parse().ok()) {
                Some(length) => Holds::Text(length),
                None => Holds::Reference(target(holds)),
            },
        };
        fields.push(field(name, held, marks));
    }
    fields
}

fn target(name: &str) -> &'static [&'static str] {
    match name {
        "Account" => &["Account"],
        "Contact" => &["Contact"],
        "Opportunity" => &["Opportunity"],
        "Order" => &["Order"],
        "PricebookEntry" => &["PricebookEntry"],
        "Product2" => &["Product2"],
        _ => &["User"],
    }
}

fn field(name: &str, holds: Holds, marks: &str) -> Field {
    Field {
        name: name.to_owned(),
        holds,
        required: marks.contains('!'),
        writable: !marks.contains('='),
        external_id: false,
        unique: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_reads_as_it_is_meant() {
        let schema = Schema::standard(true);
        let field = |kind: &str, name: &str| schema.field(kind, name).unwrap();
        assert_eq!(field("Contact", "lastname").name, "LastName");
        assert!(field("Contact", "LastName").required && field("Contact", "LastName").writable);
        assert_eq!(field("Contact", "LastName").holds, Holds::Text(80));
        assert!(!field("Contact", "Name").writable && !field("Account", "SystemModstamp").writable);
        assert_eq!(field("Contact", "AccountId").holds, Holds::Reference(&["Account"]));
        assert_eq!(schema.relation("Contact", "Account").unwrap().1, "Account");
        assert!(schema.field("Contact", "Vip__c").is_none() && schema.field("User", "IsDeleted").is_none());
        assert_eq!(
            (label("LastName"), label("AccountId")),
            ("Last Name".to_owned(), "Account ID".to_owned())
        );
        assert_eq!(label("Concord_Id__c"), "Concord Id");
        assert!(schema.children("Account").contains(&("Contact".to_owned(), "AccountId".to_owned())));
        // Every reference of the table leads to an object of the table.
        for (name, _) in schema.objects() {
            for field in schema.fields(name) {
                let Holds::Reference(kinds) = field.holds else { continue };
                assert!(kinds.iter().all(|kind| schema.known(kind).is_some()), "{name}.{}", field.name);
            }
        }
    }
}
