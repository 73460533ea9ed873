//! The end: everything is mended and compared, and then there is one truth.

use serde_json::Value;

use crate::{
    driver::{Driver, Told},
    person::text,
};

/// Longer than any pause after a deletion that failed.
const PAUSES: usize = 8;
const HOURS: i64 = 3_600_000;

impl Driver {
    pub async fn finish(&mut self) -> Told {
        self.mend().await;
        self.reconcile().await?;
        self.observe().await?;
        self.nango_agrees().await?;
        self.pages_agree().await?;
        for row in 0..self.rows.len() {
            self.disconnect(row).await?;
            self.observe().await?;
        }
        self.nango_agrees().await?;
        // Whatever could still come of this person's windows is forgotten by then.
        self.house.apps[0].0.clock.advance(2 * HOURS);
        Ok(())
    }

    /// Nango has what is bound here, with this person's own tags, and nothing else.
    async fn nango_agrees(&mut self) -> Told {
        let mut tries = 0;
        loop {
            let entries = self.house.nango.connections().await;
            let mut listed: Vec<_> = entries.iter().map(|e| text(&e["connection_id"])).collect();
            listed.sort_unstable();
            let bound = self.seen_bound();
            if listed == bound {
                return entries.iter().try_for_each(|entry| self.is_ours(entry));
            }
            tries += 1;
            if tries > 20 * PAUSES {
                return Err(format!("Nango has {listed:?}, bound is {bound:?}"));
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
            if tries % 20 == 0 {
                // A deletion that failed while Nango was down has its pause.
                self.house.apps[0].0.clock.advance(HOURS / 12);
                self.pass(HOURS / 12);
                self.reconcile().await?;
                self.observe().await?;
            }
        }
    }

    fn is_ours(&self, entry: &Value) -> Told {
        let tags = &entry["tags"];
        let attempt = self
            .attempts
            .iter()
            .find(|(id, _)| tags["attempt_id"] == id.to_string());
        let holder = self.seen_row_of(text(&entry["connection_id"]));
        let same = attempt.is_some_and(|(_, row)| Some(*row) == holder);
        if same && tags["end_user_id"] == self.user.to_string() {
            Ok(())
        } else {
            Err(format!("bound to another row than its tags say: {entry}"))
        }
    }

    /// What people see, at both servers: the list and a fresh stream of events.
    async fn pages_agree(&self) -> Told {
        for person in &self.people {
            let shown = person.connections().await;
            let by_row: Vec<String> = self
                .rows
                .iter()
                .filter_map(|id| shown.iter().find(|c| c["id"] == id.to_string()))
                .map(|c| text(&c["status"]).to_owned())
                .collect();
            if by_row != self.seen_statuses() || shown.len() != self.rows.len() {
                return Err(format!("shown is {shown:?}, and it is {:?}", self.seen));
            }
            let (event, snapshot) = person.events().await.next().await.expect("an event");
            if event != "snapshot" || snapshot != Value::Array(shown.clone()) {
                return Err(format!(
                    "a stream begins with {event} {snapshot}, not {shown:?}"
                ));
            }
        }
        Ok(())
    }
}
