"""Why a policy says what it says, and for whom."""
