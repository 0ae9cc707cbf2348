//! One exchange with a provider: who asks, and what it answers.

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Result};

use crate::transport::{Authorize, Incoming, Outgoing, Transport};

/// Sends a request with a key or a signature, and once more with another key where the provider refused that one and there
/// is another now. Every key is known to the request's peer before it goes out.
///
/// Fails with what the provider's refusal means.
pub(crate) async fn exchange(
    authorize: &dyn Authorize,
    transport: &dyn Transport,
    request: impl Fn() -> Outgoing,
) -> Result<Incoming> {
    let mut used = Vec::new();
    let refused = match attempt(authorize, transport, request(), &mut used).await {
        Err(error) if error.code() == Code::ModelKeyRefused => error,
        exchanged => return exchanged,
    };
    match authorize.renew(&used).await {
        Ok(true) => attempt(authorize, transport, request(), &mut used).await,
        Ok(false) => Err(refused),
        Err(cause) => Err(refused.caused_by(&cause)),
    }
}

async fn attempt(
    authorize: &dyn Authorize,
    transport: &dyn Transport,
    mut outgoing: Outgoing,
    used: &mut Vec<Secret>,
) -> Result<Incoming> {
    *used = authorize.authorize(&mut outgoing).await?;
    let peer = outgoing.peer.clone();
    used.iter().for_each(|secret| peer.hide(secret));
    transport.send(outgoing).await?.accepted(&peer).await
}
