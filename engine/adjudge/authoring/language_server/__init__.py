"""What an editor asks of a policy while it is being written; needs pygls, the extra `lsp`, only to speak to one."""
