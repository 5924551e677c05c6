"""The one log: runs gathered on a grid of scales and steps, and their store on disk, whatever made them."""
