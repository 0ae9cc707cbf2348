//! How the servers behave.

/// How both servers behave. The default is how they should.
#[derive(Clone, Debug)]
pub struct Twist {
    /// Whether everybody is let in, and may call everything.
    pub open: bool,
    /// How long a token is good, in seconds.
    pub lifetime: u64,
    /// Whether a token can be renewed.
    pub refreshes: bool,
    /// Whether a refusal says where the server describes itself.
    pub points: bool,
    /// What the refusal of the server says in place of where it describes itself.
    pub points_to: Option<String>,
    /// Whether the server describes itself at all.
    pub describes: bool,
    /// Whether the login server describes itself as OpenID providers do, and not as OAuth has it.
    pub openid: bool,
    /// Fields of the description of the server that are other ones.
    pub resource: serde_json::Map<String, serde_json::Value>,
    /// Fields of the description of the login server that are other ones.
    pub issuer: serde_json::Map<String, serde_json::Value>,
    /// Where the description of the login server leads on to.
    pub redirect: Option<String>,
    /// How many bytes the description of the login server is longer.
    pub padding: usize,
    /// What the page of the login says in place of a code.
    pub denies: Option<String>,
    /// What the answer of the page says in place of the name of the login server.
    pub named: Option<String>,
    /// Whether the answer of the page carries another state.
    pub forgets: bool,
    /// The status with which tokens are refused.
    pub fails: Option<u16>,
    /// How long a token takes, in milliseconds.
    pub delay: u64,
}

impl Default for Twist {
    fn default() -> Self {
        Self {
            open: false,
            lifetime: 3_600,
            refreshes: true,
            points: true,
            points_to: None,
            describes: true,
            openid: false,
            resource: serde_json::Map::new(),
            issuer: serde_json::Map::new(),
            redirect: None,
            padding: 0,
            denies: None,
            named: None,
            forgets: false,
            fails: None,
            delay: 0,
        }
    }
}
