"""What a finished run shows: figures, files, a terminal page and one HTML file. Reads an `Outcome`, decides nothing."""
