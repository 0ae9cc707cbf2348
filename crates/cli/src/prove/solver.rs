//! [`Solver`]: the process that proves, and how long it may take.

use std::path::PathBuf;
use std::time::Duration;

use adjutant_core::time::format_duration;
use cedar_policy_symcc::CedarSymCompiler;
use cedar_policy_symcc::err::Error as Unproved;
use cedar_policy_symcc::solver::LocalSolver;
use tokio::process::Command;

/// What to say where there is no solver.
pub(crate) const MISSING: &str =
    "no proof: the solver cvc5 is not installed (on Debian and its kin: `apt-get install cvc5`)";

/// The variable of the environment that names the solver, where it is not in `PATH`.
const VARIABLE: &str = "CVC5";

/// The variable of the environment that names the folders of programs.
const PATH: &str = "PATH";

/// How much longer than the solver's own limit its process may live.
const GRACE: Duration = Duration::from_secs(2);

/// What is asked through.
pub(super) type Compiler = CedarSymCompiler<LocalSolver>;

/// The solver cvc5 as a process, which answers one question after the other.
pub(crate) struct Solver {
    program: PathBuf,
    bound: Duration,
    compiler: Option<Compiler>,
}

impl Solver {
    /// The solver that is installed, if one is. No question takes longer than `bound`.
    pub(crate) fn find(bound: Duration) -> Option<Self> {
        let named = std::env::var_os(VARIABLE).filter(|name| !name.is_empty()).map(PathBuf::from);
        let program = match named {
            Some(program) => program.is_file().then_some(program)?,
            None => std::env::split_paths(&std::env::var_os(PATH)?)
                .map(|folder| folder.join("cvc5"))
                .find(|program| program.is_file())?,
        };
        Some(Self::at(program, bound))
    }

    /// The solver that this program is.
    pub(super) fn at(program: PathBuf, bound: Duration) -> Self {
        Self { program, bound, compiler: None }
    }

    /// Asks one question. Says in words why there is no answer: it took too long, or it is too hard.
    pub(super) async fn ask<T>(
        &mut self,
        question: impl AsyncFnOnce(&mut Compiler) -> Result<T, Unproved>,
    ) -> Result<T, String> {
        let mut compiler = match self.compiler.take() {
            Some(compiler) => compiler,
            None => self.start()?,
        };
        match tokio::time::timeout(self.bound + GRACE, question(&mut compiler)).await {
            Ok(Ok(answer)) => {
                self.compiler = Some(compiler);
                Ok(answer)
            }
            // A process that has failed once is not asked again: dropping it kills it.
            Ok(Err(Unproved::SolverUnknown)) => {
                Err(format!("no answer within {}", format_duration(self.bound)))
            }
            Ok(Err(error)) => Err(format!("the solver failed: {error}")),
            Err(_) => Err(format!("no answer within {}", format_duration(self.bound))),
        }
    }

    fn start(&self) -> Result<Compiler, String> {
        let limit = format!("--tlimit-per={}", self.bound.as_millis());
        let mut command = Command::new(&self.program);
        command.args(["--lang", "smt", &limit]).kill_on_drop(true).env_clear();
        let failed = |error: &dyn std::error::Error| format!("the solver cannot be started: {error}");
        let solver = LocalSolver::from_command(&mut command).map_err(|error| failed(&error))?;
        CedarSymCompiler::new(solver).map_err(|error| failed(&error))
    }
}
