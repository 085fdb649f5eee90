"""The networks besides the published ones, and the layers that networks share."""
