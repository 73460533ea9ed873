//! Addresses of databases, and what is wrong only beside other settings.

use super::settings::{complaints, load_in};

#[test]
fn an_address_that_no_database_has_is_refused_when_it_is_read() {
    for (address, words) in [
        ("sqlite::memory:", "in memory"),
        ("/srv/patchbay", "ends in .db"),
        ("postgres://u:hunter2@db/x?sslmode=perhaps", "perhaps"),
    ] {
        let told = complaints("address", "", &[("DATABASE_URL", address)]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("environment variable DATABASE_URL: "),
            "{told:?}"
        );
        assert!(
            told[0].contains(words) && !told[0].contains("hunter2"),
            "{told:?}"
        );
    }
}

#[test]
fn the_sandbox_listens_somewhere_else_than_the_server() {
    let file = "[sandbox]\nlisten_addr = \"127.0.0.1:3000\"\n";
    assert_eq!(
        complaints("same-place", file, &[]),
        [
            "Leptos.toml:2: [sandbox] listen_addr: is where the server itself listens; without \
             NANGO_SECRET_KEY the sandbox needs an address of its own"
        ]
    );
    // Where there is no sandbox it does not matter.
    for env in [
        ("NANGO_SECRET_KEY", "k1"),
        ("NANGO_ENABLED", "false"),
        ("LISTEN_ADDR", "[::1]:3000"),
    ] {
        assert!(load_in("same-place-2", file, &[env]).is_ok(), "{env:?}");
    }
    let free = [
        ("LISTEN_ADDR", "127.0.0.1:0"),
        ("SANDBOX_LISTEN_ADDR", "127.0.0.1:0"),
    ];
    assert!(load_in("same-place-3", "", &free).is_ok());
}

#[test]
fn prometheus_asks_somewhere_else() {
    let same = [("METRICS_ADDR", "127.0.0.1:3000")];
    let told = complaints("metrics-1", "", &same);
    let wanted = "environment variable METRICS_ADDR: is where the server itself listens; Prometheus \
                  needs an address of its own";
    assert_eq!(told, [wanted]);
    let sandbox = [
        ("METRICS_ADDR", "127.0.0.1:4000"),
        ("SANDBOX_LISTEN_ADDR", "127.0.0.1:4000"),
    ];
    let told = complaints("metrics-2", "", &sandbox);
    let wanted = "environment variable METRICS_ADDR: is where the sandbox listens; Prometheus needs an \
                  address of its own";
    assert_eq!(told, [wanted]);
    let [metrics, other] = sandbox;
    assert!(
        load_in(
            "metrics-3",
            "",
            &[metrics, other, ("NANGO_ENABLED", "false")]
        )
        .is_ok()
    );
    // All addresses are this one too, but those of IPv6 alone.
    for (metrics, server, wrong) in [
        ("127.0.0.1:9464", "127.0.0.1:3000", false),
        ("127.0.0.1:3000", "0.0.0.0:3000", true),
        ("0.0.0.0:3000", "127.0.0.1:3000", true),
        ("127.0.0.1:3000", "[::]:3000", true),
        ("[::1]:3000", "0.0.0.0:3000", false),
        ("[::1]:3000", "127.0.0.1:3000", false),
    ] {
        let env = [("METRICS_ADDR", metrics), ("LISTEN_ADDR", server)];
        let loaded = load_in("metrics-4", "", &env);
        assert_eq!(loaded.is_err(), wrong, "{metrics} {server}");
    }
}

#[test]
fn the_sandboxs_key_has_the_form_of_nangos_where_there_is_a_sandbox() {
    let key = ("SANDBOX_SECRET_KEY", "hunter2");
    let told = complaints("sandbox-key", "", &[key]);
    let wanted =
        "environment variable SANDBOX_SECRET_KEY: is no UUID of version 4, as Nango's keys are";
    assert_eq!(told, [wanted]);
    assert!(load_in("sandbox-key-2", "", &[key, ("NANGO_ENABLED", "false")]).is_ok());
}
