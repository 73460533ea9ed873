//! The entries of calls that Nango refused, or never answered.
//!
//! May import the dictionary only.

use super::{
    Blame::{Nango, Operator, Patchbay, Person},
    Ending::{Denied, Failed},
    Entry,
    entries::entry,
};

pub static NANGO_UNREACHABLE: Entry = entry(
    "nango_unreachable",
    Nango,
    Denied,
    "Connecting does not work right now: Nango cannot be reached.",
    "Nothing was changed. Try again in a minute.",
);
pub static NANGO_KEY_REFUSED: Entry = entry(
    "nango_key_refused",
    Operator,
    Denied,
    "Connecting is off: Nango refuses this server's secret key.",
    "Whoever runs this server has to check NANGO_SECRET_KEY: it must be a key of the environment, and of the Nango, that NANGO_BASE_URL names.",
);
pub static NANGO_KEY_MALFORMED: Entry = entry(
    "nango_key_malformed",
    Operator,
    Denied,
    "Connecting is off: what this server has as Nango's secret key is no key.",
    "Whoever runs this server has to copy NANGO_SECRET_KEY again, as a whole, from the environment's settings in Nango.",
);
pub static NANGO_FORBIDDEN: Entry = entry(
    "nango_forbidden",
    Operator,
    Denied,
    "Nango does not let this server's key do that.",
    "Nothing was changed. Whoever runs this server has to give the key the scopes in the set-up guide.",
);
pub static NANGO_SCOPE_MISSING: Entry = entry(
    "nango_scope_missing",
    Operator,
    Denied,
    "This server's key lacks the scope at Nango that this needs.",
    "Nothing was changed. Whoever runs this server has to give the key this scope, or make a new key with it: {scope}.",
);
pub static NANGO_PLAN_LIMIT: Entry = entry(
    "nango_plan_limit",
    Operator,
    Denied,
    "Nango's plan does not allow this.",
    "Nothing was changed. Whoever runs this server has to raise the plan, or delete what is not needed, in Nango.",
);
pub static NANGO_TAG_REFUSED: Entry = entry(
    "nango_tag_refused",
    Patchbay,
    Denied,
    "Nango refuses the tags by which this server finds its connections again.",
    "Nothing was changed. Whoever runs this server has to update Patchbay, or report this with the line in its log.",
);
pub static NANGO_WEBHOOK_REFUSED: Entry = entry(
    "nango_webhook_refused",
    Operator,
    Denied,
    "Nango refuses the address that this server wants its messages at.",
    "Nothing was changed. Whoever runs this server has to correct PUBLIC_URL, or unset NANGO_WEBHOOK_OVERRIDE.",
);
pub static NANGO_BUSY: Entry = entry(
    "nango_busy",
    Nango,
    Denied,
    "Nango is asked too often at the moment.",
    "Nothing was changed. Try again in a minute.",
);
pub static NANGO_FAILED: Entry = entry(
    "nango_failed",
    Nango,
    Denied,
    "Nango had a failure of its own.",
    "Nothing was changed. Try again in a minute.",
);
pub static NANGO_ADDRESS_WRONG: Entry = entry(
    "nango_address_wrong",
    Operator,
    Denied,
    "Connecting is off: what answers at Nango's address is not Nango's API.",
    "Whoever runs this server has to check NANGO_BASE_URL: the API's address, not the dashboard's.",
);
pub static NANGO_UNEXPECTED: Entry = entry(
    "nango_unexpected",
    Patchbay,
    Denied,
    "Nango answered in a way this server does not understand.",
    "Nothing was changed. Whoever runs this server finds the details in its log.",
);
pub static CONNECTION_GONE: Entry = entry(
    "connection_gone",
    Person,
    Failed,
    "Nango no longer has this connection.",
    "Connect it again.",
);
