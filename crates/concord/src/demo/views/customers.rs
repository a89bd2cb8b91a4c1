//! Accounts, contacts and leads.

use super::{AUDIENCE, View};
use crate::demo::diary::{Kind, Place};
use crate::demo::timeline::Read;

const LIFECYCLE: Read =
    Read::Word(&[("opportunity", "prospect"), ("customer", "customer"), ("other", "former")]);
const CONSENT: Read =
    Read::Word(&[("subscribed", "granted"), ("unsubscribed", "withdrawn"), ("transactional", "none")]);
const LEAD: Read = Read::Word(&[
    ("new-stage-id", "new"),
    ("qualified-stage-id", "qualified"),
    ("converted-stage-id", "converted"),
]);

pub(super) const VIEWS: [View; 6] = [
    View {
        kind: Kind::Account,
        place: Place::Crm,
        object: "companies",
        id: "business_id",
        fields: &[
            ("version", "version", Read::Text),
            ("name", "name", Read::Text),
            ("domain", "domain", Read::Text),
            ("phone", "phone", Read::Text),
            ("lifecycle", "lifecyclestage", LIFECYCLE),
            ("sales_region", "sales_region", Read::Text),
            ("payment_state", "payment_state", Read::Text),
            ("credit_hold", "credit_hold", Read::Truth),
            ("credit_limit", "credit_limit", Read::Amount),
        ],
        when: None,
    },
    View {
        kind: Kind::Account,
        place: Place::Erp,
        object: "customer",
        id: "custentity_business_id",
        fields: &[
            ("version", "custentity_version", Read::Text),
            ("name", "companyName", Read::Text),
            ("domain", "url", Read::Behind("https://")),
            ("phone", "phone", Read::Text),
            ("sales_region", "custentity_sales_region", Read::Text),
            ("payment_state", "custentity_payment_state", Read::Text),
            ("credit_hold", "custentity_credit_hold", Read::Truth),
            ("credit_limit", "creditLimit", Read::Amount),
        ],
        when: None,
    },
    View {
        kind: Kind::Contact,
        place: Place::Crm,
        object: "contacts",
        id: "business_id",
        fields: &[
            ("version", "version", Read::Text),
            ("first_name", "firstname", Read::Text),
            ("last_name", "lastname", Read::Text),
            ("email", "email", Read::Lower),
            ("phone", "phone", Read::Text),
            ("job_title", "jobtitle", Read::Text),
            ("account", "associatedcompanyid", Read::Ref("companies")),
            ("consent", "marketing_consent", Read::Text),
            ("plan", "plan", Read::Text),
        ],
        when: None,
    },
    View {
        kind: Kind::Contact,
        place: Place::Erp,
        object: "contact",
        id: "custentity_business_id",
        fields: &[
            ("version", "custentity_version", Read::Text),
            ("first_name", "firstName", Read::Text),
            ("last_name", "lastName", Read::Text),
            ("email", "email", Read::Lower),
            ("phone", "phone", Read::Text),
            ("job_title", "title", Read::Text),
            ("account", "company", Read::Ref("customer")),
            ("plan", "custentity_plan", Read::Text),
        ],
        when: Some(("account", &[])),
    },
    View {
        kind: Kind::Contact,
        place: Place::Marketing,
        object: AUDIENCE,
        id: "merge_fields.BUSINESSID",
        fields: &[
            ("email", "email_address", Read::Lower),
            ("consent", "status", CONSENT),
            ("first_name", "merge_fields.FNAME", Read::Text),
            ("last_name", "merge_fields.LNAME", Read::Text),
            ("version", "merge_fields.VERSION", Read::Text),
            ("plan", "merge_fields.PLAN", Read::Text),
        ],
        when: None,
    },
    View {
        kind: Kind::Lead,
        place: Place::Crm,
        object: "leads",
        id: "business_id",
        fields: &[
            ("version", "version", Read::Text),
            ("name", "hs_lead_name", Read::Text),
            ("company", "company_name", Read::Text),
            ("email", "email", Read::Lower),
            ("status", "hs_pipeline_stage", LEAD),
            ("converted_on", "converted_on", Read::Text),
        ],
        when: None,
    },
];
