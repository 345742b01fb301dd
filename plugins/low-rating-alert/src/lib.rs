//! Posts bad ratings to Slack, tags the thread and leaves a note.
