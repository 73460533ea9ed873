//! What the program says when it starts, to whoever reads its log.

use std::io::{BufRead, BufReader, Read};

use crate::{app::client, program, support::db::TestDb};

/// The log of a server from its start until it answers.
async fn log_of_a_start(db: &TestDb, settings: &[(&str, &str)]) -> String {
    let mut all = vec![("NANGO_ENABLED", "false")];
    all.extend(settings);
    let mut child = program::serve(&db.url, "127.0.0.1:0", &all);
    let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut text = String::new();
    let address = loop {
        let mut line = String::new();
        let read = log.read_line(&mut line).expect("text");
        assert!(read > 0, "it does not start: {text}");
        text.push_str(&line);
        if let Some((_, rest)) = line.split_once("answers on ") {
            let address = rest.split_whitespace().next();
            break address.expect("an address").to_owned();
        }
    };
    // By then it has said all that it has to say.
    let answer = client().get(format!("{address}/health/live")).send().await;
    assert_eq!(answer.expect("an answer").status(), 200);
    child.kill().expect("its end");
    child.wait().expect("its end");
    log.read_to_string(&mut text).expect("text");
    text
}

on_both! {
    async fn a_proxy_that_nobody_has_named_is_warned_of(db: &TestDb) {
        let public = ("PUBLIC_URL", "https://patchbay.example");
        let log = log_of_a_start(db, &[public]).await;
        let warning = log.lines().find(|line| line.contains("TRUSTED_PROXIES"));
        assert!(warning.is_some_and(|line| line.contains("WARN")), "{log}");
        let log = log_of_a_start(db, &[public, ("TRUSTED_PROXIES", "127.0.0.1")]).await;
        assert!(!log.contains("TRUSTED_PROXIES"), "{log}");
        // On this machine alone it tells whom it lets in.
        let log = log_of_a_start(db, &[]).await;
        assert!(!log.contains("TRUSTED_PROXIES") && log.contains("set PUBLIC_URL"), "{log}");
    }
}
