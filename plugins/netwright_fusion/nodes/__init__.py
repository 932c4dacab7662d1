"""The nodes of the workflow, a file each: they take the workbench and the state, and return an update of the state."""
