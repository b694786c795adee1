"""Conditions as people write them who know another language, and what each is here: a person has read every row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adjudge.errors import PolicyError
from adjudge.expr.check import Environment, check
from adjudge.expr.foreign.mend import TRIED_MAX, Mended, mend
from adjudge.expr.parse import parse
from adjudge.source import Source
from adjudge.values.declared import parse_fields
from adjudge.values.types import BOOL, STRING, ListType

FIELDS = parse_fields(
    {
        "country": "string",
        "email_domain": "string",
        "note": "string",
        "attempts_24h": {"type": "int", "range": [0, 1000]},
        "document_match": {"type": "double", "range": [0, 1]},
        "document_expiry": "timestamp",
        "document_type": {"type": "enum", "values": ["passport", "national_id"]},
        "limit_usd": {"type": "double", "range": [0, 100_000_000]},
        "account_age": "duration",
        "device.score": {"type": "double", "range": [0, 100]},
        "device.emulator": "bool",
        "device.vpn": "bool",
        "tags": {"type": "set", "values": ["A", "B"]},
        "now": "timestamp",
    }
)
ENVIRONMENT = Environment({name: field.type for name, field in FIELDS.items()} | {"lists.sanctioned": ListType(STRING)})

# fmt: off
# ruff: noqa: E501  # a row is a row
CONDITIONS = [
    ('attempts_24h \uff1e 5', 'attempts_24h > 5'),
    ('attempts_24h \uff1e\uff1d \uff15 \uff06\uff06 device\uff0eemulator', 'attempts_24h >= 5 && device.emulator'),
    ('country == \u201cSG\u201d', 'country == "SG"'),
    ('country == \u2018SG\u2019', 'country == "SG"'),
    ('attempts_24h\u200b >= 5', 'attempts_24h >= 5'),
    ('attempts_24h between 3 and 10', 'attempts_24h >= 3 && attempts_24h <= 10'),
    ('attempts_24h BETWEEN 3 AND 10 AND device.emulator', 'attempts_24h >= 3 && attempts_24h <= 10 && device.emulator'),
    ('attempts_24h not between 3 and 10', '!(attempts_24h >= 3 && attempts_24h <= 10)'),
    ('IF(attempts_24h >= 5, true, false)', 'attempts_24h >= 5 ? true : false'),
    ('IF(attempts_24h >= 5, device.vpn, device.emulator)', 'attempts_24h >= 5 ? device.vpn : device.emulator'),
    ('AND(attempts_24h >= 5, device.emulator)', 'attempts_24h >= 5 && device.emulator'),
    ('OR(attempts_24h >= 5, NOT(device.emulator))', 'attempts_24h >= 5 || !device.emulator'),
    ('=AND(attempts_24h>=5, device.emulator)', 'attempts_24h >= 5 && device.emulator'),
    ('attempts_24h >= 5 and device.emulator or not device.vpn', 'attempts_24h >= 5 && device.emulator || !device.vpn'),
    ('attempts_24h >= 5 AND device.emulator OR NOT device.vpn', 'attempts_24h >= 5 && device.emulator || !device.vpn'),
    ('email_domain is null', '!has(email_domain)'),
    ('email_domain is not null', 'has(email_domain)'),
    ('email_domain IS NULL AND attempts_24h > 3', '!has(email_domain) && attempts_24h > 3'),
    ('email_domain = null', '!has(email_domain)'),
    ('email_domain == None', '!has(email_domain)'),
    ('email_domain != NULL', 'has(email_domain)'),
    ('ISBLANK(email_domain)', '!has(email_domain)'),
    ('NOT(ISBLANK(email_domain))', 'has(email_domain)'),
    ('device.vpn if attempts_24h > 3 else device.emulator', 'attempts_24h > 3 ? device.vpn : device.emulator'),
    ('true if attempts_24h > 3 else false', 'attempts_24h > 3 ? true : false'),
    ('case when attempts_24h > 3 then device.vpn else device.emulator end', 'attempts_24h > 3 ? device.vpn : device.emulator'),
    ('CASE WHEN attempts_24h > 3 THEN true WHEN device.vpn THEN true ELSE false END', 'attempts_24h > 3 ? true : device.vpn ? true : false'),
    ("email_domain like '%gmail%'", 'email_domain.contains("gmail")'),
    ("email_domain LIKE 'gmail%'", 'email_domain.startsWith("gmail")'),
    ("email_domain not like '%.ru'", '!email_domain.endsWith(".ru")'),
    ("email_domain like 'gm_il.com'", 'email_domain.matches("^gm.il\\\\.com$")'),
    ('country <> "SG"', 'country != "SG"'),
    ('country = "SG"', 'country == "SG"'),
    ('country === "SG"', 'country == "SG"'),
    ('attempts_24h =< 5', 'attempts_24h <= 5'),
    ('attempts_24h => 5', 'attempts_24h >= 5'),
    ('attempts_24h > 3 & device.vpn', 'attempts_24h > 3 && device.vpn'),
    ('attempts_24h > 3 | device.vpn', 'attempts_24h > 3 || device.vpn'),
    ('!country in lists.sanctioned', '!(country in lists.sanctioned)'),
    ('country not in lists.sanctioned', '!(country in lists.sanctioned)'),
    ('not country in lists.sanctioned', '!(country in lists.sanctioned)'),
    ('country in sanctioned', 'country in lists.sanctioned'),
    ('len(country) > 2', 'size(country) > 2'),
    ('LEN(country) == 2', 'size(country) == 2'),
    ('count(device.emulator, device.vpn) >= 2', '(device.emulator ? 1 : 0) + (device.vpn ? 1 : 0) >= 2'),
    ('sum(attempts_24h, 3) > 5', 'attempts_24h + 3 > 5'),
    ('contains(email_domain, "gmail")', 'email_domain.contains("gmail")'),
    ('startswith(email_domain, "gmail")', 'email_domain.startsWith("gmail")'),
    ('email_domain.startswith("gmail")', 'email_domain.startsWith("gmail")'),
    ('device.vpn == True', 'device.vpn == true'),
    ('device.vpn == TRUE', 'device.vpn == true'),
    ('device.vpn is True', 'device.vpn == true'),
    ('device.vpn = 1', 'device.vpn == true'),
    ('device.vpn == "true"', 'device.vpn == true'),
    ("email_domain == 'it''s'", 'email_domain == "it\'s"'),
    ('attempts_24h ** 2 > 5', 'attempts_24h * attempts_24h > 5'),
    ('attempts_24h // 2 > 5', 'attempts_24h / 2 > 5'),
    ('attempts_24h ^ 2 > 5', 'attempts_24h * attempts_24h > 5'),
    ('attempts_24h >= 5;', 'attempts_24h >= 5'),
    ('attempts_24h >= 5; device.vpn', 'attempts_24h >= 5 && device.vpn'),
    ('attempts_24h >= 5 # many', 'attempts_24h >= 5'),
    ('attempts_24h >= 5 -- many', 'attempts_24h >= 5'),
    ('country in "SG,ID"', 'country in ["SG", "ID"]'),
    ('"SG" in "SG,ID"', '"SG" in ["SG", "ID"]'),
    ('document_match < 80%', 'document_match < 0.8'),
    ('device.score > 80%', 'device.score > 80'),
    ('document_match < 80 %', 'document_match < 0.8'),
    ('document_match < 80 percent', 'document_match < 0.8'),
    ('limit_usd > 1,000', 'limit_usd > 1000'),
    ('limit_usd > 1,000,000.50', 'limit_usd > 1000000.5'),
    ('limit_usd > 1.000,5', 'limit_usd > 1000.5'),
    ('limit_usd > 1_000', 'limit_usd > 1000'),
    ('limit_usd > 1 000', 'limit_usd > 1000'),
    ('limit_usd > 50k', 'limit_usd > 50000'),
    ('limit_usd > 1M', 'limit_usd > 1000000'),
    ('limit_usd > 1.5m', 'limit_usd > 1500000'),
    ('limit_usd > $100', 'limit_usd > 100'),
    ('limit_usd > 100 USD', 'limit_usd > 100'),
    ('limit_usd > USD 100', 'limit_usd > 100'),
    ('limit_usd > 5000$', 'limit_usd > 5000'),
    ('account_age < 24 hours', 'account_age < duration("24h")'),
    ('account_age < 24h', 'account_age < duration("24h")'),
    ('account_age < 30 days', 'account_age < duration("720h")'),
    ('account_age < "24h"', 'account_age < duration("24h")'),
    ('account_age < "30 days"', 'account_age < duration("720h")'),
    ('account_age < duration(24h)', 'account_age < duration("24h")'),
    ('document_expiry < now + 30 days', 'document_expiry < now + duration("720h")'),
    ('document_expiry < now + duration("30 days")', 'document_expiry < now + duration("720h")'),
    ('document_expiry < now - 30d', 'document_expiry < now - duration("720h")'),
    ('document_expiry < 2026-11-30', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry < "2026-11-30"', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry < timestamp("2026-11-30")', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry < 30/11/2026', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry < "30.11.2026"', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry < Nov 30, 2026', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry < "Nov 30 2026"', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry < 2026-11-30 08:00', 'document_expiry < timestamp("2026-11-30T08:00:00Z")'),
    ('document_expiry < "2026-11-30T08:00:00"', 'document_expiry < timestamp("2026-11-30T08:00:00Z")'),
    ('document_expiry < today()', 'document_expiry < now'),
    ('document_expiry < NOW()', 'document_expiry < now'),
    ('document_expiry < TODAY() + 30', 'document_expiry < now + duration("720h")'),
    ('3 < attempts_24h < 10', '3 < attempts_24h && attempts_24h < 10'),
    ('3 <= attempts_24h <= 10 && device.vpn', '3 <= attempts_24h && attempts_24h <= 10 && device.vpn'),
    ('0.2 < document_match < 0.5', '0.2 < document_match && document_match < 0.5'),
    ('country == "SG" || "ID"', 'country in ["SG", "ID"]'),
    ('country == "SG" OR "ID"', 'country in ["SG", "ID"]'),
    ('country == "SG" || "ID" || "MY"', 'country in ["SG", "ID", "MY"]'),
    ("country = 'SG' or 'ID' and device.vpn", 'country in ["SG", "ID"] && device.vpn'),
    ('country != "SG" && "ID"', '!(country in ["SG", "ID"])'),
    ('country in ("SG", "ID")', 'country in ["SG", "ID"]'),
    ("country in ('SG')", 'country in ["SG"]'),
    ('country in "SG", "ID"', 'country in ["SG", "ID"]'),
    ('country in SG, ID', 'country in ["SG", "ID"]'),
    ('country in {"SG", "ID"}', 'country in ["SG", "ID"]'),
    ('country in [SG, ID]', 'country in ["SG", "ID"]'),
    ('country in ["SG" "ID"]', 'country in ["SG", "ID"]'),
    ('country in [SG ID]', 'country in ["SG", "ID"]'),
    ('country IN ("SG", "ID")', 'country in ["SG", "ID"]'),
    ('country == ["SG", "ID"]', 'country in ["SG", "ID"]'),
    ('country = ("SG","ID")', 'country in ["SG", "ID"]'),
    ('country == "SG", "ID"', 'country in ["SG", "ID"]'),
    ('attempts_24h in [3..10]', 'attempts_24h >= 3 && attempts_24h <= 10'),
    ('attempts_24h in 3..10', 'attempts_24h >= 3 && attempts_24h <= 10'),
    ('country == SG', 'country == "SG"'),
    ('country == sg', 'country == "sg"'),
    ('email_domain == gmail.com', 'email_domain == "gmail.com"'),
    ('document_type == passport', 'document_type == "passport"'),
    ('document_type == Passport', 'document_type == "passport"'),
    ('document_type == "Passport"', 'document_type == "passport"'),
    ('document_type in [passport, nationl_id]', 'document_type in ["passport", "national_id"]'),
    ('attempts_24h > "5"', 'attempts_24h > 5'),
    ('attempts_24h >= "1,000"', 'attempts_24h >= 1000'),
    ('document_match < "0.8"', 'document_match < 0.8'),
    ('document_match < "80%"', 'document_match < 0.8'),
    ('Country == "SG"', 'country == "SG"'),
    ('score > 70', 'device.score > 70'),
    ('inputs.country == "SG"', 'country == "SG"'),
    ('{{country}} == "SG"', 'country == "SG"'),
    ('$country == "SG"', 'country == "SG"'),
    ('@country == "SG"', 'country == "SG"'),
    ('${device.score} > 5', 'device.score > 5'),
    ('attempts_24h > 5 and < 10', 'attempts_24h > 5 && attempts_24h < 10'),
    ('attempts_24h is greater than 5', 'attempts_24h > 5'),
    ('attempts_24h at least 5', 'attempts_24h >= 5'),
    ('now.hour >= 22', 'now.timeOfDay("UTC") >= duration("22h")'),
    ('now.hour >= 22 || now.hour < 6', 'now.timeOfDay("UTC") >= duration("22h") || now.timeOfDay("UTC") < duration("6h")'),
    ('now.hour == 3', 'now.getHours() == 3'),
    ('now > 22:00', 'now.timeOfDay("UTC") > duration("22h")'),
    ('now.timeOfDay("Asia/Singapore") > 22:00', 'now.timeOfDay("Asia/Singapore") > duration("22h")'),
    ('account_age.days < 7', 'account_age.getHours() / 24 < 7'),
    ('YEAR(document_expiry) < 2026', 'document_expiry.getFullYear() < 2026'),
    ('coalesce(attempts_24h, 0) > 3', '(has(attempts_24h) ? attempts_24h : 0) > 3'),
    ('attempts_24h ?? 0 > 3', '(has(attempts_24h) ? attempts_24h : 0) > 3'),
    ("'country in ['SG','ID']'", "country in ['SG','ID']"),
    ('"attempts_24h > 5"', 'attempts_24h > 5'),
    ('if attempts_24h > 5', 'attempts_24h > 5'),
    ('if (attempts_24h > 5)', 'attempts_24h > 5'),
    ('if attempts_24h > 5 then reject', 'attempts_24h > 5'),
    ('if attempts_24h > 5 then device.vpn else false', 'attempts_24h > 5 ? device.vpn : false'),
    ('attempts_24h > 5, device.vpn', 'attempts_24h > 5 && device.vpn'),
    ('attempts_24h > 5.', 'attempts_24h > 5'),
    ('device.emulator == yes', 'device.emulator == true'),
    ('any([device.vpn, device.emulator])', 'device.vpn || device.emulator'),
    ('device.vpn + device.emulator >= 2', '(device.vpn ? 1 : 0) + (device.emulator ? 1 : 0) >= 2'),
    ('math.abs(device.score) > 3', 'device.score.abs() > 3'),
    ('A in tags', '"A" in tags'),
    ('tags contains "A"', '"A" in tags'),
    ('tags == "A"', '"A" in tags'),
    ('"A" == tags', '"A" in tags'),
    ('tags in ["A"]', 'tags.exists(member, member in ["A"])'),
    ('attempts_24h! = 5', 'attempts_24h != 5'),
    ('attempts_24h > = 5', 'attempts_24h >= 5'),
    ('attempts_24h >= 5 times', 'attempts_24h >= 5'),
    ('country.toLowerCase() == "sg"', 'country.lower() == "sg"'),
    ('email_domain =~ "gmail"', 'email_domain.matches("gmail")'),
    ('email_domain matches "gmail"', 'email_domain.matches("gmail")'),
    ('email_domain contains "gmail"', 'email_domain.contains("gmail")'),
    ('email_domain contains gmail', 'email_domain.contains("gmail")'),
    ('attempts_24h <5 || >10', 'attempts_24h < 5 || attempts_24h > 10'),
    ('attempts_24h == 5.0', 'attempts_24h == 5'),
    ('device.score == 70', 'device.score == 70.0'),
    ("limit_usd > 1'000", 'limit_usd > 1000'),
    ('limit_usd > \uff15\uff10\uff10\uff10', 'limit_usd > 5000'),
    ('exists(email_domain)', 'has(email_domain)'),
    ("!has(email_domain) and country != 'SG'", '!has(email_domain) && country != "SG"'),
    ('email_domain.isEmpty()', 'size(email_domain) == 0'),
    ('length(country) = 2', 'size(country) == 2'),
    ('country.length == 2', 'size(country) == 2'),
    ('country.equals("SG")', 'country == "SG"'),
    ('device.vpn xor device.emulator', 'device.vpn != device.emulator'),
    ('attempts_24h mod 2 == 0', 'attempts_24h % 2 == 0'),
    ('attempts_24h > 5 && (device.vpn', 'attempts_24h > 5 && device.vpn'),
    ('attempts_24h > 5)', 'attempts_24h > 5'),
    ('attempts_24h\u3000\uff1e\u3000\uff15', 'attempts_24h > 5'),
    ('\uff08attempts_24h > 5\uff09', 'attempts_24h > 5'),
    ('attempts_24h > 5 \uff06\uff06 \uff08device\uff0evpn\uff09', 'attempts_24h > 5 && device.vpn'),
    ('country in \uff3b\u201cSG\u201d\uff0c\u201cID\u201d\uff3d', 'country in ["SG", "ID"]'),
    ('country in [\u201cSG\u201d\u3001\u201cID\u201d]', 'country in ["SG", "ID"]'),
    ('country == \u300cSG\u300d', 'country == "SG"'),
    ('document_match < \uff18\uff10\uff05', 'document_match < 0.8'),
    ('document_match \uff1c 0\u30028', 'document_match < 0.8'),
    ('attempts_24h \u2265 5 \u2227 device.vpn', 'attempts_24h >= 5 && device.vpn'),
    ('attempts_24h \u2013 3 > 5', 'attempts_24h - 3 > 5'),
    ('attempts_24h \xd7 2 > 5', 'attempts_24h * 2 > 5'),
    ('device.score \xf7 2 > 5', 'device.score / 2.0 > 5'),
    ('\u0430ttempts_24h > 5', 'attempts_24h > 5'),
    ('attempts_24h\uff1e5 and country\uff1d\uff1d\u201cSG\u201d', 'attempts_24h > 5 && country == "SG"'),
    ('attempts_24h\u200b>\u200b5', 'attempts_24h > 5'),
    ('country == "SG" or country == "ID" and not device.vpn', 'country == "SG" || country == "ID" && !device.vpn'),
    ("(country = 'SG') AND (attempts_24h > 5)", 'country == "SG" && attempts_24h > 5'),
    ("country IN ('SG','ID') AND attempts_24h NOT BETWEEN 1 AND 3", 'country in ["SG", "ID"] && !(attempts_24h >= 1 && attempts_24h <= 3)'),
    ("country NOT IN ('SG')", '!(country in ["SG"])'),
    ("email_domain NOT LIKE '%gmail%' AND email_domain IS NOT NULL", '!email_domain.contains("gmail") && has(email_domain)'),
    ("email_domain ILIKE 'GMAIL%'", 'email_domain.lower().startsWith("gmail")'),
    ("email_domain like '%@%.ru'", 'email_domain.matches("@.*\\\\.ru$")'),
    ('IF(country="SG", attempts_24h>5, attempts_24h>10)', 'country == "SG" ? attempts_24h > 5 : attempts_24h > 10'),
    ('IF(AND(attempts_24h>=5,device.vpn),TRUE,FALSE)', 'attempts_24h >= 5 && device.vpn ? true : false'),
    ('IFERROR(attempts_24h, 0) > 5', '(has(attempts_24h) ? attempts_24h : 0) > 5'),
    ('IIF(device.vpn, true, false)', 'device.vpn ? true : false'),
    ('AND(device.vpn, OR(country="SG", country="ID"))', 'device.vpn && (country == "SG" || country == "ID")'),
    ('NOT(device.vpn)', '!device.vpn'),
    ('NOT device.vpn', '!device.vpn'),
    ('=attempts_24h>5', 'attempts_24h > 5'),
    ('LEN(email_domain)>0', 'size(email_domain) > 0'),
    ('UPPER(country) = "SG"', 'upper(country) == "SG"'),
    ('LOWER(country) == "sg"', 'lower(country) == "sg"'),
    ('TRIM(country) == "SG"', 'trim(country) == "SG"'),
    ('LEFT(country, 1) == "S"', 'substring(country, 0, 1) == "S"'),
    ('RIGHT(email_domain, 3) == ".ru"', 'substring(email_domain, size(email_domain) - 3) == ".ru"'),
    ('CONTAINS(email_domain, "gmail")', 'email_domain.contains("gmail")'),
    ('SEARCH("gmail", email_domain) > 0', 'email_domain.contains("gmail")'),
    ('FIND("gmail", email_domain)', 'email_domain.contains("gmail")'),
    ('EXACT(country, "SG")', 'country == "SG"'),
    ('COUNTIF(device.vpn, device.emulator) > 1', '(device.vpn ? 1 : 0) + (device.emulator ? 1 : 0) > 1'),
    ('SUM(attempts_24h, 1) > 5', 'attempts_24h + 1 > 5'),
    ('MAX(attempts_24h, 1) > 5', 'max(attempts_24h, 1) > 5'),
    ('MIN(device.score, 10.0) > 5', 'min(device.score, 10.0) > 5'),
    ('ROUND(device.score) > 5', 'round(device.score) > 5'),
    ('ABS(device.score) > 5', 'abs(device.score) > 5'),
    ('MOD(attempts_24h, 2) == 0', 'attempts_24h % 2 == 0'),
    ('TODAY() > document_expiry', 'now > document_expiry'),
    ('NOW() > document_expiry', 'now > document_expiry'),
    ('document_expiry < DATE(2026, 11, 30)', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ("document_expiry < DATE '2026-11-30'", 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ("document_expiry < TIMESTAMP '2026-11-30 00:00:00'", 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ("document_expiry < now() + interval '30 days'", 'document_expiry < now + duration("720h")'),
    ('document_expiry < now() + INTERVAL 30 DAY', 'document_expiry < now + duration("720h")'),
    ('document_expiry - now < 30 days', 'document_expiry - now < duration("720h")'),
    ('DATEDIFF(document_expiry, now) < 30', '(document_expiry - now).getHours() / 24 < 30'),
    ('(document_expiry - now).days < 30', '(document_expiry - now).getHours() / 24 < 30'),
    ('account_age > 30d', 'account_age > duration("720h")'),
    ('account_age > 1 month', 'account_age > duration("720h")'),
    ('account_age > 1y', 'account_age > duration("8760h")'),
    ('account_age > "1 day 12 hours"', 'account_age > duration("36h")'),
    ('account_age > P30D', 'account_age > duration("720h")'),
    ('account_age > 86400 seconds', 'account_age > duration("24h")'),
    ('account_age.days > 30', 'account_age.getHours() / 24 > 30'),
    ('document_expiry.year < 2027', 'document_expiry.getFullYear() < 2027'),
    ('now.weekday == 6', 'now.getDayOfWeek() == 6'),
    ('now.hour between 22 and 23', 'now.timeOfDay("UTC") >= duration("22h") && now.timeOfDay("UTC") < duration("24h")'),
    ('document_expiry < "2026/11/30"', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ("document_expiry < '30.11.2026'", 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry < "30 Nov 2026"', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry < "November 30, 2026"', 'document_expiry < timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry < "2026-11-30 10:00:00"', 'document_expiry < timestamp("2026-11-30T10:00:00Z")'),
    ('document_expiry < 2026-11-30T10:00:00Z', 'document_expiry < timestamp("2026-11-30T10:00:00Z")'),
    ('document_expiry == "2026-11-30"', 'document_expiry == timestamp("2026-11-30T00:00:00Z")'),
    ('document_expiry between 2026-01-01 and 2026-12-31', 'document_expiry >= timestamp("2026-01-01T00:00:00Z") && document_expiry <= timestamp("2026-12-31T00:00:00Z")'),
    ('limit_usd > 1,234,567', 'limit_usd > 1234567'),
    ('limit_usd > 1.234.567', 'limit_usd > 1234567'),
    ('limit_usd > 1\u2019000', 'limit_usd > 1000'),
    ('limit_usd > 1_000_000', 'limit_usd > 1000000'),
    ('limit_usd > 10 000', 'limit_usd > 10000'),
    ('limit_usd > 10k', 'limit_usd > 10000'),
    ('limit_usd > 10K USD', 'limit_usd > 10000'),
    ('limit_usd > US$100', 'limit_usd > 100'),
    ('limit_usd > 100\u20ac', 'limit_usd > 100'),
    ('limit_usd > 1M and country = SG', 'limit_usd > 1000000 && country == "SG"'),
    ('document_match < 0,8', 'document_match < 0.8'),
    ('document_match >= 80%', 'document_match >= 0.8'),
    ('document_match between 50% and 80%', 'document_match >= 0.5 && document_match <= 0.8'),
    ('device.score >= 80 percent', 'device.score >= 80'),
    ('attempts_24h > five', 'attempts_24h > 5'),
    ('1 < attempts_24h <= 5 < 10', '1 < attempts_24h && attempts_24h <= 5 && 5 < 10'),
    ('0 < document_match < 1', '0 < document_match && document_match < 1'),
    ('attempts_24h > 1 && < 5', 'attempts_24h > 1 && attempts_24h < 5'),
    ('attempts_24h > 1 or = 5', 'attempts_24h > 1 || attempts_24h == 5'),
    ('country == "SG" || == "ID"', 'country == "SG" || country == "ID"'),
    ('country == "SG" || country == "ID" || "MY"', 'country == "SG" || country in ["ID", "MY"]'),
    ('country in "SG" or "ID"', 'country in ["SG", "ID"]'),
    ('country == ("SG" or "ID")', 'country in ["SG", "ID"]'),
    ('country == ["SG"]', 'country in ["SG"]'),
    ('country = SG or ID', 'country in ["SG", "ID"]'),
    ('country is SG', 'country == "SG"'),
    ('country is not SG', 'country != "SG"'),
    ('country is in (SG, ID)', 'country in ["SG", "ID"]'),
    ('country in [\u201cSG\u201d]', 'country in ["SG"]'),
    ('document_type is passport', 'document_type == "passport"'),
    ("document_type == 'PASSPORT'", 'document_type == "passport"'),
    ('document_type in (passport)', 'document_type in ["passport"]'),
    ('"attempts_24h" > 5', 'attempts_24h > 5'),
    ('"5" < attempts_24h', '5 < attempts_24h'),
    ("attempts_24h > '5'", 'attempts_24h > 5'),
    ('device.vpn is true', 'device.vpn == true'),
    ("device.vpn == 'yes'", 'device.vpn == true'),
    ('device.vpn = Y', 'device.vpn == true'),
    ("device.vpn = 'true'", 'device.vpn == true'),
    ('device.vpn == 0', 'device.vpn == false'),
    ('not device.vpn and not device.emulator', '!device.vpn && !device.emulator'),
    ('!(device.vpn) and attempts_24h > 5', '!device.vpn && attempts_24h > 5'),
    ('any(device.vpn, device.emulator)', 'device.vpn || device.emulator'),
    ('all([device.vpn, device.emulator])', 'device.vpn && device.emulator'),
    ('[device.vpn, device.emulator].count(true) >= 2', '(device.vpn ? 1 : 0) + (device.emulator ? 1 : 0) >= 2'),
    ('device.vpn + device.emulator > 1', '(device.vpn ? 1 : 0) + (device.emulator ? 1 : 0) > 1'),
    ('len(email_domain) == 0', 'size(email_domain) == 0'),
    ('email_domain is empty', '!has(email_domain)'),
    ('email_domain is None', '!has(email_domain)'),
    ('email_domain is not None', 'has(email_domain)'),
    ('attempts_24h is None or attempts_24h > 5', '!has(attempts_24h) || attempts_24h > 5'),
    ('attempts_24h == NaN', '!has(attempts_24h)'),
    ('email_domain.endswith(".ru")', 'email_domain.endsWith(".ru")'),
    ("email_domain.contains('gmail') == True", 'email_domain.contains("gmail") == true'),
    ('email_domain.includes("gmail")', 'email_domain.contains("gmail")'),
    ('"gmail" in email_domain', 'email_domain.contains("gmail")'),
    ('email_domain.find("gmail") >= 0', 'email_domain.contains("gmail")'),
    ('email_domain.indexOf("gmail") > -1', 'email_domain.contains("gmail")'),
    ('email_domain =~ /gmail/', 'email_domain.matches("gmail")'),
    ('email_domain ~ "gmail"', 'email_domain.matches("gmail")'),
    ('re.match("gmail", email_domain)', 'email_domain.matches("gmail")'),
    ('email_domain.match("gmail")', 'email_domain.matches("gmail")'),
    ('email_domain.toLowerCase() == "gmail.com"', 'email_domain.lower() == "gmail.com"'),
    ('email_domain.strip() == "gmail.com"', 'email_domain.trim() == "gmail.com"'),
    ('email_domain[0] == "g"', 'email_domain.substring(0, 1) == "g"'),
    ('lists.sanctioned contains country', 'country in lists.sanctioned'),
    ('lists.sanctioned.contains(country)', 'country in lists.sanctioned'),
    ('country in lists.Sanctioned', 'country in lists.sanctioned'),
    ('country in list.sanctioned', 'country in lists.sanctioned'),
    ('country in $sanctioned', 'country in lists.sanctioned'),
    ('true && attempts_24h > 5 ; ', 'true && attempts_24h > 5'),
    ('attempts_24h > 5 AND', 'attempts_24h > 5'),
    ('attempts_24h > 5 then reject', 'attempts_24h > 5'),
    ('when attempts_24h > 5', 'attempts_24h > 5'),
    ('attempts_24h>5&&device.vpn=true', 'attempts_24h > 5 && device.vpn == true'),
    ('attempts_24h!>5', 'attempts_24h <= 5'),
    ('attempts_24h >= 5 or', 'attempts_24h >= 5'),
    ('attempts_24h === 5 && country !== "SG"', 'attempts_24h == 5 && country != "SG"'),
    ('attempts_24h eq 5', 'attempts_24h == 5'),
    ('attempts_24h gte 5', 'attempts_24h >= 5'),
    ('attempts_24h >= 5 /* many */', 'attempts_24h >= 5'),
    ('attempts_24h >= (5', 'attempts_24h >= 5'),
    ('(attempts_24h >= 5', 'attempts_24h >= 5'),
    ('attempts_24h >= 5))', 'attempts_24h >= 5'),
    ('{{ attempts_24h }} > 5', 'attempts_24h > 5'),
    ('[attempts_24h] > 5', 'attempts_24h > 5'),
    (':attempts_24h > 5', 'attempts_24h > 5'),
    ('%attempts_24h% > 5', 'attempts_24h > 5'),
    ('attempts-24h > 5', 'attempts_24h > 5'),
    ('attempts 24h > 5', 'attempts_24h > 5'),
    ('Attempts_24H > 5', 'attempts_24h > 5'),
    ('device.Score > 5', 'device.score > 5'),
    ('device score > 5', 'device.score > 5'),
    ('device->score > 5', 'device.score > 5'),
    ("device['score'] > 5", 'device.score > 5'),
    ('device["score"] > 5', 'device.score > 5'),
    ('device:score > 5', 'device.score > 5'),
    ('signals.device.score > 70', 'device.score > 70'),
    ('input.country == "SG"', 'country == "SG"'),
    ('request.country == "SG"', 'country == "SG"'),
]
# fmt: on


def blamed(text: str) -> list[PolicyError]:
    source = Source("condition", text)
    try:
        _, errors = check(parse(source.whole()), ENVIRONMENT, source=source, expect=BOOL)
    except PolicyError as error:
        return [error]
    return errors


def mended(text: str) -> Mended | None:
    return mend(Source("condition", text).whole(), ENVIRONMENT, fields=FIELDS, expect=BOOL, found=blamed(text))


@pytest.mark.parametrize(("written", "meant"), CONDITIONS, ids=[written for written, _ in CONDITIONS])
def test_condition_of_another_language_is_told_as_it_is_written_here(written: str, meant: str) -> None:
    assert blamed(written), "it would load as it is"
    said = mended(written)
    assert said is not None
    assert said.text == meant
    assert said.errors == ()
    assert not blamed(meant), "a hint must load"


@pytest.mark.parametrize(("written", "meant"), CONDITIONS)
def test_slip_stands_inside_of_its_condition_and_speaks_of_it(written: str, meant: str) -> None:
    said = mended(written)
    assert said is not None
    for slip in said.slips:
        assert 0 <= slip.span.start < slip.span.end <= len(written)
        assert slip.message[0].islower() or slip.message[0] in "`0123456789"
        assert not slip.message.endswith(".")


@pytest.mark.parametrize(
    ("written", "ways"),
    [
        ("document_expiry < 03/04/2026", ("2026-04-03", "2026-03-04")),
        ("document_expiry < 'Nov 30'", ('timestamp("2026-11-30T00:00:00Z")', "like")),
        ("attempts_24h", ("has(attempts_24h)", "attempts_24h > 0")),
        ("not email_domain", ("!has(email_domain)", 'email_domain == ""')),
        ("account_age < 24", ('duration("24h")', 'duration("576h")')),
    ],
)
def test_what_can_be_meant_in_two_ways_is_told_both_and_mended_in_none(written: str, ways: tuple[str, str]) -> None:
    said = mended(written)
    assert said is not None
    assert said.text == ""
    assert all(way in said.slips[0].more for way in ways)


@pytest.mark.parametrize(
    "written",
    [
        'xyz == "onboard001"',
        "contry == device.vpn",
        "",
        "&&",
        "((((",
        "if",
        "not",
        "case when",
        "between",
        "in in in",
        "a" * (TRIED_MAX + 1),
        "(" * 90 + "a ＞ 5",
        "not " * 400 + "device.vpn ＞ 5",
        "!" * 1000 + "x =",
    ],
)
def test_what_nobody_can_guess_keeps_the_message_that_it_has(written: str) -> None:
    assert mended(written) is None


def test_other_mistakes_of_a_condition_are_told_with_their_own_place() -> None:
    said = mended("attempts_24h > 5 and emulatr == true")
    assert said is not None
    assert [(error.code, error.column) for error in said.errors] == [("name-unknown", 22)]


def test_only_what_can_be_meant_in_one_way_is_sure() -> None:
    sure = {text: all(slip.is_sure for slip in (mended(text) or pytest.fail(text)).slips) for text in (
        "attempts_24h ＞ 5", "attempts_24h > 5 AND device.vpn", 'country <> "SG"', "document_match < 80%", "country == SG"
    )}  # fmt: skip
    assert list(sure.values()) == [True, True, True, False, False]


WORDS = [
    "country", "attempts_24h", "device.vpn", "device", "score", "account_age", "document_expiry", "lists.sanctioned", "tags",
    "and", "OR", "not", "in", "is", "null", "between", "like", "case", "when", "then", "else", "end", "if", "IF", "AND",
    "count", "sum", "now", "today", "date", "interval", "5", "80%", "1,000", "24 hours", "22:00", "2026-11-30", "'a'", '"b"',
    "=", "==", "<>", "<", ">=", "&&", "|", "!", "(", ")", "[", "]", "{", "}", ",", ";", ".", "?", ":", "+", "-", "*", "/", "%",
    "\uff08", "\uff09", "\uff0c", "\u201c", "\u200b", "\\", "#", "//", "--", "$", "@", "~", "..", "??", "=~", "^", "**",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=40))
def test_any_words_in_any_order_are_told_something_that_loads_or_nothing(written: str) -> None:
    errors = blamed(written)
    if not errors:
        return
    said = mend(Source("condition", written).whole(), ENVIRONMENT, fields=FIELDS, expect=BOOL, found=errors)
    if said is not None and said.text and not said.errors:
        assert not blamed(said.text)
