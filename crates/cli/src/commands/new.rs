//! `adjutant new`: a project to begin with.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use adjutant::policy::cedar::PACK;
use adjutant_core::{Code, Error, Result};
use clap::{Args, ValueEnum};

use crate::exit::{Ended, Exit};
use crate::place::quoted;
use crate::screen::Output;

/// Creates a project: adjutant.toml, an agent, policies with their tests, a document that it can look things up in, and
/// .gitignore.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The folder to create it in. No file that is there already is changed.
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// What it begins with: `simple`, an agent that answers from documents, or `guarded`, one that also reads what strangers have
    /// written and sends letters, with everything on that keeps these apart.
    #[arg(long, value_enum, default_value_t, value_name = "NAME")]
    template: Template,
}

/// What a project begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Template {
    #[default]
    Simple,
    Guarded,
}

impl Template {
    /// Its files, in the order in which they are told.
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Simple => &SIMPLE,
            Self::Guarded => &GUARDED,
        }
    }
}

const GUARDED: [(&str, &str); 8] = [
    ("adjutant.toml", include_str!("../../template/guarded/adjutant.toml")),
    ("agents/assistant.md", include_str!("../../template/guarded/assistant.md")),
    ("policies/default.cedar", PACK),
    ("policies/default.test.yaml", include_str!("../../template/guarded/default.test.yaml")),
    ("documents/welcome.md", include_str!("../../template/welcome.md")),
    ("letters/2026-11-20.md", include_str!("../../template/guarded/letter.md")),
    ("tools/send_letter.sh", include_str!("../../template/guarded/send_letter.sh")),
    (".gitignore", include_str!("../../template/gitignore")),
];

const SIMPLE: [(&str, &str); 6] = [
    ("adjutant.toml", include_str!("../../template/adjutant.toml")),
    ("agents/assistant.md", include_str!("../../template/assistant.md")),
    ("policies/default.cedar", PACK),
    ("policies/default.test.yaml", include_str!("../../template/default.test.yaml")),
    ("documents/welcome.md", include_str!("../../template/welcome.md")),
    (".gitignore", include_str!("../../template/gitignore")),
];

pub(crate) fn execute(arguments: &Arguments, output: Output) -> Ended {
    let folder = &arguments.folder;
    let files = arguments.template.files();
    let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.join(name)).collect();
    refuse_to_overwrite(&paths)?;
    for (path, (_, text)) in paths.iter().zip(files) {
        write(path, text)?;
    }
    if output.json {
        output.json(&serde_json::json!({ "created": paths }))?;
    } else {
        paths.iter().try_for_each(|path| output.line(&path.display().to_string()))?;
        output.talk(&format!(
            "\nTry it:\n  adjutant run {} \"How do I give my agent a tool?\"",
            quoted(folder)
        ));
    }
    Ok(Exit::Success)
}

fn refuse_to_overwrite(paths: &[PathBuf]) -> Result<()> {
    match paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        None => Ok(()),
        Some(path) => Err(Error::new(Code::Conflict, format!("`{}` is there already", path.display()))
            .with_help("nothing was changed; name another folder: `adjutant new FOLDER`")),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let unwritable = |error: &std::io::Error| {
        let code =
            if error.kind() == ErrorKind::StorageFull { Code::StoreFull } else { Code::FileUnreadable };
        Error::new(code, format!("`{}` cannot be written", path.display())).caused_by(error)
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| unwritable(&error))?;
    }
    // A file that appeared since the check is not overwritten either.
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| unwritable(&error))
}
