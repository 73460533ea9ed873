//! What may happen, in any order. A number picks among what there is, counted from the newest, so
//! that it means something after any other steps.

use std::{fmt, ops::Range};

use proptest::{collection::vec, prelude::*};

pub type Pick = u8;

#[derive(Clone, Debug)]
pub enum Step {
    /// Connect, without naming an account; `several` says which of the two connectors.
    Connect {
        several: bool,
    },
    Reconnect {
        row: Pick,
    },
    /// One more window of an attempt.
    OpenWindow {
        attempt: Pick,
    },
    /// What the person does in a window, which the provider may refuse.
    Allow {
        window: Pick,
    },
    Deny {
        window: Pick,
    },
    Fail {
        window: Pick,
    },
    /// Nango's webhook of something that happened, however long ago.
    Webhook {
        event: Pick,
        times: u8,
    },
    /// "I've finished"
    Finish {
        attempt: Pick,
    },
    /// The popup told its page that it failed.
    Hint {
        attempt: Pick,
        denied: bool,
    },
    Cancel {
        attempt: Pick,
    },
    Disconnect {
        row: Pick,
    },
    /// Half an hour later, before new servers.
    Expire,
    Restart {
        second: bool,
    },
    /// The next click goes to the other server.
    SwitchInstance,
    /// The socket says nothing of what happens from now on, or does again.
    Silence,
    Speech,
    /// The provider no longer takes the account's tokens, or does again.
    Break {
        row: Pick,
    },
    Mend {
        row: Pick,
    },
    /// Deleted at Nango by somebody else.
    Vanish {
        row: Pick,
    },
    Reconcile,
    NangoDown,
    NangoUp,
}

/// A failure shows them one a line.
#[derive(Clone)]
pub struct Steps(pub Vec<Step>);

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| write!(f, "\n  {step:?}"))
    }
}

/// What chance once found, so that it is tried each time.
pub fn once_wrong() -> Vec<Steps> {
    use Step::*;
    let connect = || Connect { several: false };
    let allow = || Allow { window: 0 };
    let (reconnect, vanish) = (Reconnect { row: 0 }, Vanish { row: 0 });
    let hint = Hint {
        attempt: 0,
        denied: true,
    };
    vec![
        // The account vanishes while it is renewed: allowed after all, it is there again.
        Steps(vec![
            connect(),
            allow(),
            reconnect,
            vanish,
            Reconcile,
            allow(),
        ]),
        // The popup's word in an outage: nothing ends before Nango's list can be read.
        Steps(vec![connect(), NangoDown, hint, NangoUp]),
    ]
}

/// Single steps, and among them turns that chance alone would seldom take.
pub fn strategy(turns: Range<usize>) -> impl Strategy<Value = Steps> {
    let turn = prop_oneof![3 => step().prop_map(|step| vec![step]), 2 => phrase()];
    vec(turn, turns).prop_map(|turns| Steps(turns.concat()))
}

/// Steps that lead somewhere; what comes of them is the model's to say.
fn phrase() -> impl Strategy<Value = Vec<Step>> {
    use Step::*;
    (any::<bool>(), 0..2_u8, 0..16_u8).prop_map(|(several, row, which)| {
        let (window, attempt, event, times) = (0, 0, 0, 1);
        let (connect, reconnect) = (Connect { several }, Reconnect { row });
        let (allow, deny) = (Allow { window }, Deny { window });
        let webhook = Webhook { event, times };
        let (cancel, broken, vanish) = (Cancel { attempt }, Break { row }, Vanish { row });
        let hint = Hint {
            attempt,
            denied: true,
        };
        match which {
            0..3 => vec![connect, allow],
            3 => vec![connect, Expire],
            4 => vec![connect.clone(), Expire, connect, Allow { window: 1 }],
            5 => vec![Silence, connect, allow],
            6 => vec![connect, cancel, allow],
            7 => vec![connect, deny, OpenWindow { attempt }],
            8 => vec![reconnect, allow],
            9 => vec![reconnect, Expire],
            10 => vec![Silence, reconnect, deny, webhook],
            11 => vec![reconnect, hint, allow, webhook],
            12 => vec![broken.clone(), Reconcile, reconnect, cancel, allow, webhook],
            13 => vec![reconnect, vanish, Reconcile],
            14 => vec![Silence, reconnect, allow, Finish { attempt }],
            _ => vec![broken, webhook, Mend { row }, Reconcile],
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let pick = || 0..4_u8;
    prop_oneof![
        8 => any::<bool>().prop_map(|several| Step::Connect { several }),
        5 => pick().prop_map(|row| Step::Reconnect { row }),
        4 => pick().prop_map(|attempt| Step::OpenWindow { attempt }),
        14 => pick().prop_map(|window| Step::Allow { window }),
        4 => pick().prop_map(|window| Step::Deny { window }),
        3 => pick().prop_map(|window| Step::Fail { window }),
        7 => (0..6_u8, 1..3_u8).prop_map(|(event, times)| Step::Webhook { event, times }),
        5 => pick().prop_map(|attempt| Step::Finish { attempt }),
        3 => (pick(), any::<bool>()).prop_map(|(attempt, denied)| Step::Hint { attempt, denied }),
        5 => pick().prop_map(|attempt| Step::Cancel { attempt }),
        5 => pick().prop_map(|row| Step::Disconnect { row }),
        2 => Just(Step::Expire),
        1 => any::<bool>().prop_map(|second| Step::Restart { second }),
        4 => Just(Step::SwitchInstance),
        3 => Just(Step::Silence),
        2 => Just(Step::Speech),
        3 => pick().prop_map(|row| Step::Break { row }),
        2 => pick().prop_map(|row| Step::Mend { row }),
        2 => pick().prop_map(|row| Step::Vanish { row }),
        2 => Just(Step::Reconcile),
        1 => Just(Step::NangoDown),
        2 => Just(Step::NangoUp),
    ]
}
