"""Rows as pictures, PNG files: bars by contender, the roofline, and scaling."""
