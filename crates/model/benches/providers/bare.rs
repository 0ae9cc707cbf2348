//! The same exchange by a bare HTTP client, which reads the bytes and looks at none of them.

use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::{Code, Error, Result};
use adjutant_model::transport::{Incoming, Outgoing, Transport};
use adjutant_model::{Call, Model};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderMap;
use url::Url;

use crate::failed;
use crate::subject::{Manner, Subject, question};

/// A request as it goes over the wire, and who sends it.
#[derive(Clone, Debug)]
pub(crate) struct Bare {
    client: reqwest::Client,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Bare {
    /// The request that the model would send.
    pub(crate) async fn like(subject: Subject, address: &str, manner: Manner) -> Result<Self> {
        let caught = Arc::new(Catch::default());
        let model = subject.over(address, manner, caught.clone())?;
        // It is caught on its way.
        let _ = model.stream(question(), Call::default()).await;
        let sent = caught.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sent = sent.ok_or_else(|| Error::new(Code::Internal, "the model sends nothing"))?;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().tcp_nodelay(true).build();
        let client = client.map_err(|error| failed("no client can be made", &error))?;
        Ok(Self { client, url: sent.url, headers: sent.headers, body: sent.body.into() })
    }

    /// Sends it, and waits until the other side begins to answer.
    pub(crate) async fn send(&self) -> Result<reqwest::Response> {
        let request =
            self.client.post(self.url.clone()).headers(self.headers.clone()).body(self.body.clone());
        let sent = request.send().await.and_then(reqwest::Response::error_for_status);
        sent.map_err(|error| failed("the bare request fails", &error))
    }

    /// Sends it and reads the answer.
    pub(crate) async fn call(&self) -> Result<Vec<Bytes>> {
        let mut response = self.send().await?;
        let mut read = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| failed("the bare answer breaks off", &error))?
        {
            read.push(chunk);
        }
        Ok(read)
    }
}

/// Keeps a request instead of sending it.
#[derive(Debug, Default)]
struct Catch(Mutex<Option<Outgoing>>);

impl Transport for Catch {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming>> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outgoing);
        Box::pin(async { Err(Error::new(Code::RunCancelled, "it is not sent")) })
    }
}
