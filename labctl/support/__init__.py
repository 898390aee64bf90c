"""What a bug report needs of a lab, in one file."""
