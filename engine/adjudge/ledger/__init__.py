"""What one MerchantBizId is and was: its decision, and the calls made for it."""
