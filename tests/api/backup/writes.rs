//! People who come and change things while a copy is made, and what they were told.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use patchbay::server::db::Db;
use serde_json::json;

use crate::{
    app::TestApp,
    local_accounts::{PASSWORD, account, enter},
    person::{Person, text},
};

/// People who come one after the other, and a name that changes all the time; each write notes that it
/// was acknowledged.
pub struct Writes {
    stop: AtomicBool,
    /// The cookies of those who came.
    people: [Mutex<Vec<String>>; 2],
    renamed: Mutex<u32>,
}

/// What was acknowledged at one moment.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    pub people: [Vec<String>; 2],
    pub renamed: u32,
}

impl Writes {
    fn new() -> Self {
        Self {
            stop: AtomicBool::new(false),
            people: [const { Mutex::new(Vec::new()) }; 2],
            renamed: Mutex::new(0),
        }
    }

    pub fn so_far(&self) -> Acknowledged {
        let people = self.people.each_ref();
        Acknowledged {
            people: people.map(|people| people.lock().expect("a list").clone()),
            renamed: *self.renamed.lock().expect("a number"),
        }
    }

    async fn come(&self, app: &TestApp, door: usize) {
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            let person = app.sign_in(&name(door, number)).await;
            self.people[door]
                .lock()
                .expect("a list")
                .push(person.cookie);
            number += 1;
        }
    }

    async fn rename(&self, ada: &Person, connection: &str) {
        let path = format!("/api/v1/connections/{connection}");
        let mut number = 0;
        while !self.stop.load(Ordering::Relaxed) {
            number += 1;
            let answer = ada
                .patch(&path, &json!({ "account": format!("name {number}") }))
                .await;
            assert_eq!(answer.status, 200, "{}", answer.text);
            *self.renamed.lock().expect("a number") = number;
        }
    }

    /// Until so many more people have come by each door.
    pub async fn more(&self, count: usize) {
        let before = self.so_far();
        let short = |now: &Acknowledged| {
            let doors = now.people.iter().zip(&before.people);
            doors
                .into_iter()
                .any(|(now, before)| now.len() < before.len() + count)
        };
        while short(&self.so_far()) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

/// A demo user's name has small letters only.
fn name(door: usize, number: u32) -> String {
    let digits = format!("{number:06}");
    let letter = |digit: u8| char::from(b'a' + (digit - b'0'));
    let letters: String = digits.bytes().map(letter).collect();
    format!("{}{letters}", DOORS[door])
}

const DOORS: [&str; 2] = ["front", "back"];

/// The numbers of the people who came by a door.
pub async fn came(db: &Db, door: usize) -> Vec<u32> {
    let query = "SELECT subject FROM \"user\" WHERE issuer = 'demo'";
    let found = match db {
        Db::Sqlite(file) => sqlx::query_scalar(query).fetch_all(&**file).await,
        Db::Postgres(server) => {
            let query = sqlx::query_scalar(query).persistent(false);
            let mut operator = server.connection().await.expect("a connection");
            query.fetch_all(&mut operator).await
        }
    };
    let subjects: Vec<String> = found.expect("the people");
    let letters = subjects
        .iter()
        .filter_map(|name| name.strip_prefix(DOORS[door]));
    let digits = letters.map(|letters| {
        let digit = |letter: u8| char::from(b'0' + (letter - b'a'));
        letters.bytes().map(digit).collect::<String>()
    });
    let mut numbers: Vec<u32> = digits.map(|n| n.parse().expect("a number")).collect();
    numbers.sort_unstable();
    numbers
}

/// Somebody is connected and has a password; people come and go while `copies` is at work.
pub async fn written_to<T>(app: &TestApp, copies: impl AsyncFnOnce(&Writes) -> T) -> T {
    account(app, "ada@example.com").await;
    let ada = enter(app, "ada@example.com", PASSWORD).await;
    let connection = ada.connected(&app.nango, "gmail").await;
    let id = text(&connection["id"]).to_owned();
    let writes = Writes::new();
    let work = async {
        let made = copies(&writes).await;
        writes.stop.store(true, Ordering::Relaxed);
        made
    };
    let (made, ..) = tokio::join!(
        work,
        writes.come(app, 0),
        writes.come(app, 1),
        writes.rename(&ada, &id)
    );
    made
}
