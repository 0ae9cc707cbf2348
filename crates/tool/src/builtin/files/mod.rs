//! Files under a root: list, read, search, write and edit.
//!
//! Every path is opened from the root's own directory handle, step by step, and no step may lead out of it: not `..`,
//! not an absolute path, not a symbolic link, and not a folder that is exchanged for a link meanwhile. Names that begin
//! with a point are not listed and not searched; they can be read by their path.

mod change;
mod list;
mod read;
mod root;
mod search;

use std::path::Path;
use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::label::Label;
use serde_json::Value;

use crate::builtin::blocking::blocking;
use crate::{Context, Failure, Output, Reconciled, Tool, tool};

use root::Root;

/// The tools `list_files`, `read_file` and `search_files` for the folder `root`. Fails with
/// [`Code::ToolInvalid`](adjutant_core::Code::ToolInvalid) when it is no folder that can be read.
pub fn files_read(root: &Path) -> Result<Vec<Arc<dyn Tool>>> {
    Ok(Arc::new(Reader(Arc::new(Root::open(root)?))).tools())
}

/// The tools of [`files_read`], and `write_file` and `edit_file`.
pub fn files(root: &Path) -> Result<Vec<Arc<dyn Tool>>> {
    let root = Arc::new(Root::open(root)?);
    let mut tools = Arc::new(Reader(Arc::clone(&root))).tools();
    tools.extend(Arc::new(Writer(root)).tools());
    Ok(tools)
}

/// The tools that read.
struct Reader(Arc<Root>);

#[tool]
impl Reader {
    /// Lists the files in a folder and below it, with their sizes.
    #[tool(pure, source = "file", egress = false, timeout = "30s")]
    async fn list_files(
        &self,
        /// The folder, as a path from the root.
        #[default(".")]
        path: String,
        context: &Context,
    ) -> Result<Output, Failure> {
        let root = Arc::clone(&self.0);
        Ok(blocking(&context.cancelled(), move |stop| list::list(&root, &path, &stop)).await?)
    }

    /// Reads a text file, or a range of its lines. A long file is cut off with a note on how to read on.
    #[tool(pure, source = "file", egress = false, timeout = "30s")]
    async fn read_file(
        &self,
        /// The file, as a path from the root.
        path: String,
        /// The first line to read, from 1.
        #[default(1)]
        #[schemars(range(min = 1))]
        from_line: u64,
        /// How many lines to read at most.
        #[schemars(range(min = 1))]
        lines: Option<u64>,
        context: &Context,
    ) -> Result<Output, Failure> {
        let root = Arc::clone(&self.0);
        let range = read::Range { from: from_line, count: lines };
        let label = Label::untrusted_from(format!("file:{}", path.trim_start_matches("./")));
        let read = blocking(&context.cancelled(), move |stop| read::read(&root, &path, range, &stop)).await?;
        Ok(read.labelled(label))
    }

    /// Finds lines in text files by words. The lines that have most of the words, and the rarest, come first, each as
    /// path:line: text.
    #[tool(pure, source = "file", egress = false, timeout = "60s")]
    async fn search_files(
        &self,
        /// The words, in any order; not a regular expression.
        words: String,
        /// The folder or file to search, as a path from the root.
        #[default(".")]
        path: String,
        /// How many lines to return at most.
        #[default(20)]
        #[schemars(range(min = 1, max = 200))]
        most: u32,
        context: &Context,
    ) -> Result<Output, Failure> {
        let root = Arc::clone(&self.0);
        let find = move |stop| search::search(&root, &words, &path, most as usize, &stop);
        Ok(blocking(&context.cancelled(), find).await?)
    }
}

/// The tools that write.
struct Writer(Arc<Root>);

#[tool]
impl Writer {
    /// Writes a text file, with its folders. What the file held before is replaced.
    #[tool(idempotent, source = "file", egress = false, timeout = "30s", concurrency = 1)]
    async fn write_file(
        &self,
        /// The file, as a path from the root.
        path: String,
        /// All that the file is to hold.
        content: String,
        context: &Context,
    ) -> Result<Output, Failure> {
        let root = Arc::clone(&self.0);
        let key = context.idempotency_key().to_owned();
        Ok(blocking(&context.cancelled(), move |_| change::write(&root, &path, &content, &key)).await?)
    }

    /// Replaces a passage of a text file. The passage must be in the file exactly once.
    #[tool(reconcile = edited, source = "file", egress = false, timeout = "30s", concurrency = 1)]
    async fn edit_file(
        &self,
        /// The file, as a path from the root.
        path: String,
        /// The passage as it stands in the file, with as many lines around it as make it unique.
        old: String,
        /// What to put in its place.
        new: String,
        context: &Context,
    ) -> Result<Output, Failure> {
        let root = Arc::clone(&self.0);
        let key = context.idempotency_key().to_owned();
        Ok(blocking(&context.cancelled(), move |_| change::edit(&root, &path, &old, &new, &key)).await?)
    }

    /// Looks whether an edit is in the file.
    async fn edited(&self, arguments: Value, context: Context) -> Result<Reconciled, Failure> {
        let root = Arc::clone(&self.0);
        Ok(blocking(&context.cancelled(), move |_| change::edited(&root, &arguments)).await?)
    }
}
