//! Nango's integrations: what the operator has set up there.

use super::{
    NangoError, NangoService,
    client::{Call, NO_BODY},
    wire::{Data, Integration},
};

impl NangoService {
    pub async fn list_integrations(&self) -> Result<Vec<Integration>, NangoError> {
        let call = Call::get(&["integrations"], &[]);
        let answer: Data<Vec<Integration>> = self.call(call, NO_BODY).await?;
        Ok(answer.data)
    }
}
