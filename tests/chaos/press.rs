//! A button, pressed until somebody has answered it: at one instance and then at another, as behind a
//! load balancer.
//!
//! May import `house` and `ledger` beside it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::Value;
use tokio::time::sleep;

use crate::{
    house::House,
    ledger::{Answer, Ledger},
};

/// Whoever cannot act for so long is lost. Longer than any of it takes where the machine has time for it:
/// what is asserted are changes, never times.
const PATIENCE: Duration = Duration::from_secs(150);
/// Before a button is pressed once more; then twice as long, and so on. People do not wait for as long
/// as `Retry-After` asks them to.
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// One that is down is passed over at once.
const NEXT: Duration = Duration::from_millis(50);

/// What came of it in the end.
pub struct Pressed {
    /// `Err`: the status and the code of a refusal.
    pub answer: Result<Value, (u16, String)>,
    /// A try was given up without an answer: it may still be done, at any time.
    pub doubtful: bool,
}

#[derive(Clone)]
pub struct Hand {
    pub house: Arc<House>,
    pub ledger: Arc<Ledger>,
    pub token: String,
}

impl Hand {
    pub async fn press(&self, method: Method, path: &str, body: Option<&Value>) -> Pressed {
        let pressed = Instant::now();
        let (mut doubtful, mut longer) = (false, PAUSE);
        loop {
            let pause = match self.once(method.clone(), path, body).await {
                Ok(answer) if answer.status == 429 || answer.status >= 500 => {
                    let pause = longer;
                    longer = (2 * longer).min(LONGEST_PAUSE);
                    pause
                }
                Ok(answer) => {
                    self.ledger.waited(pressed);
                    let answer = if answer.status == 200 {
                        Ok(answer.body)
                    } else {
                        let code = answer.body["code"].as_str().unwrap_or("no code");
                        Err((answer.status, code.to_owned()))
                    };
                    return Pressed { answer, doubtful };
                }
                Err(error) => {
                    doubtful |= error.is_timeout();
                    if !error.is_connect() {
                        self.ledger.unanswered();
                    }
                    NEXT
                }
            };
            if pressed.elapsed() > PATIENCE {
                let seconds = PATIENCE.as_secs();
                let what = format!("{method} {path}: in vain for {seconds} s");
                self.ledger.contradiction(what.clone());
                return Pressed {
                    answer: Err((0, what)),
                    doubtful: true,
                };
            }
            sleep(pause).await;
        }
    }

    async fn once(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let what = format!("{method} {path}");
        let url = format!("{}{path}", self.house.next().base);
        let request = self
            .house
            .http
            .request(method, url)
            .bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = Answer::read(request.send().await?).await?;
        self.ledger.answered(&what, &answer);
        Ok(answer)
    }
}
