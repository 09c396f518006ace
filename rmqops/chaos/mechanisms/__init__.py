"""What faults are made of: shell that kills, cuts off, slows and burdens, and the heal that is armed beside it."""
