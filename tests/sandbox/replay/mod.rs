//! The recordings of the real server, played against the sandbox: the same calls in the same
//! order, and the same statuses, headers, errors and shapes expected back.
//!
//! The folder is named by `NANGO_RECORDINGS`. Tokens and ids of a recording are replaced by those
//! that the sandbox gave at the same place.

mod compare;
mod hooks;
mod player;
mod table;

use std::{collections::BTreeSet, path::PathBuf};

use player::Player;
use serde_json::Value;
use table::{DIFFERENT, covered};

/// None where nothing is said; panics where what is said can't be read.
fn folder() -> Option<PathBuf> {
    let Some(named) = std::env::var_os("NANGO_RECORDINGS") else {
        println!("skipped: NANGO_RECORDINGS names no folder with recordings of the real server");
        return None;
    };
    Some(PathBuf::from(named).join("transcripts"))
}

#[tokio::test]
async fn the_sandbox_answers_as_recorded() {
    let Some(folder) = folder() else {
        return;
    };
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("NANGO_RECORDINGS: {}: {e}", folder.display()));
    let present: BTreeSet<String> = entries
        .map(|e| {
            e.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    let named: BTreeSet<String> = covered().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(present, named, "every recording is played");

    let mut player = Player::new().await;
    let (mut steps, mut left_out) = (0, BTreeSet::new());
    for (name, parts) in covered() {
        let path = folder.join(format!("{name}.json"));
        let text = std::fs::read_to_string(&path).unwrap();
        let recording: Value = serde_json::from_str(&text).unwrap();
        player.play(name, &recording, parts).await;
        let mut all = Vec::new();
        find_steps(&recording, String::new(), &mut all);
        steps += all.len();
        for (at, step) in all {
            if !player.has_played(step) {
                left_out.insert((name.to_owned(), at));
            }
        }
    }
    println!(
        "{steps} steps: {} played, {} named; {} comparisons",
        steps - left_out.len(),
        DIFFERENT.len(),
        player.compared
    );
    for (name, step, reason) in DIFFERENT {
        println!("different: {name}{step}: {reason}");
    }
    assert!(player.found.is_empty(), "{}", player.found.join("\n"));
    let named: BTreeSet<(String, String)> = DIFFERENT
        .iter()
        .map(|(name, step, _)| ((*name).to_owned(), (*step).to_owned()))
        .collect();
    assert_eq!(
        left_out, named,
        "every step is played or named with its reason"
    );
    assert!(DIFFERENT.len() <= 15 && steps >= 370, "{steps} steps");
}

/// Whatever is a request with its response, wherever it stands.
fn find_steps<'a>(value: &'a Value, at: String, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(map) => {
            if value["request"].is_object() && value["response"].is_object() {
                found.push((at.clone(), value));
            }
            for (name, inner) in map {
                find_steps(inner, format!("{at}/{name}"), found);
            }
        }
        Value::Array(all) => {
            for (index, inner) in all.iter().enumerate() {
                find_steps(inner, format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}
