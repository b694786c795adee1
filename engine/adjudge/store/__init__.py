"""Decisions by MerchantBizId."""
