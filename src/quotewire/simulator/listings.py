"""The default list: real-looking names, as data. Pure.

Ids of AAPL, MSFT, FB, EMH.VN and WEED.TO are Questrade's own (captures); every other id, and all prices, volumes and
share counts, are invented. One row: symbol, id, exchange, price, average daily volume, shares in millions, description,
industry subgroup (none: a fund). The order is the order of `--symbols N`.
"""

from typing import Final

Row = tuple[str, int, str, float, int, float, str, str]

INDUSTRIES: Final[dict[str, tuple[str, str]]] = {  # subgroup: sector, group
    "ConsumerElectronics": ("Technology", "ComputerHardware"),
    "SoftwareInfrastructure": ("Technology", "ApplicationSoftware"),
    "SoftwareApplication": ("Technology", "ApplicationSoftware"),
    "BanksDiversified": ("FinancialServices", "Banks"),
    "OilAndGasMidstream": ("Energy", "OilAndGas"),
    "DrugManufacturersSpecialty": ("Healthcare", "DrugManufacturers"),
    "InternetContent": ("CommunicationServices", "InteractiveMedia"),
    "Semiconductors": ("Technology", "Semiconductors"),
    "AutoManufacturers": ("ConsumerCyclical", "VehiclesAndParts"),
    "InternetRetail": ("ConsumerCyclical", "RetailCyclical"),
    "Railroads": ("Industrials", "Transportation"),
    "OilAndGasEAndP": ("Energy", "OilAndGas"),
    "OilAndGasIntegrated": ("Energy", "OilAndGas"),
    "TelecomServices": ("CommunicationServices", "TelecommunicationServices"),
    "Gold": ("BasicMaterials", "MetalsAndMining"),
    "Airlines": ("Industrials", "Transportation"),
    "SpecialtyRetail": ("ConsumerCyclical", "RetailCyclical"),
    "GroceryStores": ("ConsumerDefensive", "RetailDefensive"),
    "Entertainment": ("CommunicationServices", "MediaDiversified"),
    "DiscountStores": ("ConsumerDefensive", "RetailDefensive"),
    "BeveragesNonAlcoholic": ("ConsumerDefensive", "BeveragesNonAlcoholic"),
    "HeavyMachinery": ("Industrials", "FarmAndHeavyConstructionMachinery"),
    "ElectronicGaming": ("Technology", "InteractiveMedia"),
}

STOCKS: Final[tuple[Row, ...]] = (
    ("AAPL", 8049, "NASDAQ", 236.45, 28_833_656, 4519, "APPLE INC", "ConsumerElectronics"),
    ("MSFT", 27426, "NASDAQ", 412.3, 21_500_000, 7430, "MICROSOFT CORP", "SoftwareInfrastructure"),
    ("SHOP.TO", 9290418, "TSX", 148.62, 2_300_000, 1290, "SHOPIFY INC CLASS A", "SoftwareApplication"),
    ("RY.TO", 34658, "TSX", 168.4, 4_100_000, 1412, "ROYAL BANK OF CANADA", "BanksDiversified"),
    ("TD.TO", 38738, "TSX", 84.17, 7_900_000, 1750, "TORONTO DOMINION BANK", "BanksDiversified"),
    ("ENB.TO", 16433, "TSX", 59.38, 9_600_000, 2178, "ENBRIDGE INC", "OilAndGasMidstream"),
    ("EMH.VN", 10164524, "TSXV", 0.465, 310_000, 188, "EMERALD HEALTH THERAPEUTICS INC", "DrugManufacturersSpecialty"),
    ("WEED.TO", 16529510, "TSX", 6.43, 1_700_000, 182, "CANOPY GROWTH CORP", "DrugManufacturersSpecialty"),
    ("FB", 2067121, "NASDAQ", 124.78, 17_400_000, 2290, "FACEBOOK INC CLASS A", "InternetContent"),
    ("NVDA", 29814, "NASDAQ", 131.77, 210_000_000, 24490, "NVIDIA CORP", "Semiconductors"),
    ("TSLA", 38526, "NASDAQ", 248.5, 94_000_000, 3210, "TESLA INC", "AutoManufacturers"),
    ("AMZN", 7410, "NASDAQ", 197.12, 38_000_000, 10490, "AMAZON.COM INC", "InternetRetail"),
    ("GOOGL", 11419765, "NASDAQ", 171.05, 27_000_000, 5860, "ALPHABET INC CLASS A", "InternetContent"),
    ("SPY", 34987, "ARCA", 586.1, 52_000_000, 1010, "SPDR S&P 500 ETF TRUST", ""),
    ("QQQ", 33144, "NASDAQ", 505.6, 36_000_000, 610, "INVESCO QQQ TRUST SERIES 1", ""),
    ("XIU.TO", 40965, "TSX", 37.42, 3_800_000, 390, "ISHARES S&P/TSX 60 INDEX ETF", ""),
    ("BNS.TO", 9312, "TSX", 73.15, 5_400_000, 1243, "BANK OF NOVA SCOTIA", "BanksDiversified"),
    ("CNR.TO", 11190, "TSX", 152.77, 1_600_000, 634, "CANADIAN NATIONAL RAILWAY CO", "Railroads"),
    ("BMO.TO", 9291, "TSX", 131.9, 2_700_000, 729, "BANK OF MONTREAL", "BanksDiversified"),
    ("CM.TO", 11326, "TSX", 88.46, 3_900_000, 943, "CANADIAN IMPERIAL BANK OF COMM", "BanksDiversified"),
    ("CNQ.TO", 11189, "TSX", 47.03, 10_200_000, 2110, "CANADIAN NATURAL RESOURCES LTD", "OilAndGasEAndP"),
    ("SU.TO", 37251, "TSX", 54.9, 6_100_000, 1250, "SUNCOR ENERGY INC", "OilAndGasIntegrated"),
    ("CP.TO", 11297, "TSX", 104.66, 1_900_000, 933, "CANADIAN PACIFIC KANSAS CITY LTD", "Railroads"),
    ("T.TO", 38052, "TSX", 21.33, 5_200_000, 1500, "TELUS CORP", "TelecomServices"),
    ("BCE.TO", 9109, "TSX", 37.5, 6_600_000, 912, "BCE INC", "TelecomServices"),
    ("ABX.TO", 6763, "TSX", 24.81, 7_000_000, 1750, "BARRICK GOLD CORP", "Gold"),
    ("AC.TO", 6791, "TSX", 22.15, 3_100_000, 358, "AIR CANADA", "Airlines"),
    ("BB.TO", 9030, "TSX", 3.36, 2_900_000, 590, "BLACKBERRY LTD", "SoftwareInfrastructure"),
    ("CSU.TO", 12301, "TSX", 4480.5, 34_000, 21.2, "CONSTELLATION SOFTWARE INC", "SoftwareApplication"),
    ("ATD.TO", 7892, "TSX", 77.25, 1_800_000, 948, "ALIMENTATION COUCHE-TARD INC", "SpecialtyRetail"),
    ("L.TO", 24344, "TSX", 178.02, 410_000, 305, "LOBLAW COMPANIES LTD", "GroceryStores"),
    ("AMD", 6770, "NASDAQ", 143.2, 47_000_000, 1620, "ADVANCED MICRO DEVICES INC", "Semiconductors"),
    ("INTC", 20682, "NASDAQ", 24.61, 68_000_000, 4310, "INTEL CORP", "Semiconductors"),
    ("NFLX", 28768, "NASDAQ", 758.4, 3_300_000, 428, "NETFLIX INC", "Entertainment"),
    ("COST", 12108, "NASDAQ", 915.3, 1_700_000, 443, "COSTCO WHOLESALE CORP", "DiscountStores"),
    ("JPM", 23191, "NYSE", 222.5, 8_900_000, 2815, "JPMORGAN CHASE & CO", "BanksDiversified"),
    ("BAC", 8918, "NYSE", 42.05, 37_000_000, 7670, "BANK OF AMERICA CORP", "BanksDiversified"),
    ("XOM", 41822, "NYSE", 119.8, 14_800_000, 4390, "EXXON MOBIL CORP", "OilAndGasIntegrated"),
    ("KO", 23681, "NYSE", 65.4, 13_900_000, 4308, "COCA-COLA CO", "BeveragesNonAlcoholic"),
    ("DIS", 14016, "NYSE", 96.2, 9_700_000, 1813, "WALT DISNEY CO", "Entertainment"),
    ("F", 17003, "NYSE", 10.62, 52_000_000, 3900, "FORD MOTOR CO", "AutoManufacturers"),
    ("GM", 18526, "NYSE", 51.9, 12_600_000, 1100, "GENERAL MOTORS CO", "AutoManufacturers"),
    ("PLTR", 31876521, "NASDAQ", 42.97, 61_000_000, 2280, "PALANTIR TECHNOLOGIES INC", "SoftwareInfrastructure"),
    ("IWM", 20904, "ARCA", 222.3, 27_000_000, 290, "ISHARES RUSSELL 2000 ETF", ""),
    ("GLD", 18471, "ARCA", 252.9, 7_600_000, 300, "SPDR GOLD SHARES", ""),
    ("IMO", 20313, "NYSEAM", 72.4, 390_000, 536, "IMPERIAL OIL LTD", "OilAndGasIntegrated"),
    ("VFV.TO", 16184, "TSX", 146.1, 210_000, 130, "VANGUARD S&P 500 INDEX ETF", ""),
    ("ZSP.TO", 15946, "TSX", 92.04, 160_000, 200, "BMO S&P 500 INDEX ETF", ""),
    ("HMMJ.TO", 16877312, "TSX", 9.87, 48_000, 6, "GLOBAL X MARIJUANA LIFE SCIENCES INDEX ETF", ""),
    ("NFI.TO", 28701, "TSX", 14.09, 190_000, 119, "NFI GROUP INC", "HeavyMachinery"),
    ("AMK.VN", 7318, "TSXV", 0.89, 64_000, 200, "AMERICAN CREEK RESOURCES LTD", "Gold"),
    ("NVO.VN", 29830, "TSXV", 0.165, 92_000, 160, "NOVO RESOURCES CORP", "Gold"),
    ("TUD.VN", 38991, "TSXV", 0.61, 41_000, 240, "TUDOR GOLD CORP", "Gold"),
    ("GTII.CN", 24771902, "CNSX", 12.4, 160_000, 236, "GREEN THUMB INDUSTRIES INC", "DrugManufacturersSpecialty"),
    ("CURA.CN", 26113408, "CNSX", 3.04, 210_000, 740, "CURALEAF HOLDINGS INC", "DrugManufacturersSpecialty"),
    ("VEXT.CN", 27440911, "CNSX", 0.115, 18_000, 240, "VEXT SCIENCE INC", "DrugManufacturersSpecialty"),
    ("CBIL.NE", 44019207, "NEO", 50.08, 7000, 2.1, "GLOBAL X 0-3 MONTH T-BILL ETF", ""),
    ("BTCQ.NE", 34410825, "NEO", 18.77, 22_000, 14, "3IQ COINSHARES BITCOIN ETF", ""),
    ("TCEHY", 37984, "PINX", 52.3, 2_600_000, 9300, "TENCENT HOLDINGS LTD ADR", "InternetContent"),
    ("NTDOY", 29755, "PINX", 13.45, 1_300_000, 4660, "NINTENDO CO LTD ADR", "ElectronicGaming"),
)  # fmt: skip

INDICES: Final[tuple[tuple[str, int, str, float, str, str], ...]] = (
    ("SPX.IN", 100_001, "SNP", 5860.1, "S&P 500 INDEX", "USD"),
    ("TSX.IN", 100_002, "TSXI", 24_640.9, "S&P/TSX COMPOSITE INDEX", "CAD"),
)

# symbol, id, exchange, underlying, strike, expiry, type, price (0: never traded)
LISTED_OPTIONS: Final[tuple[tuple[str, int, str, str, float, str, str, float], ...]] = (
    ("AAPL15Jan27C400.00", 51_000_001, "OPRA", "AAPL", 400.0, "2027-01-15", "Call", 0.0),
    ("RY15Jan27C170.00.MX", 51_000_002, "MX", "RY.TO", 170.0, "2027-01-15", "Call", 8.15),
)

NOT_QUOTABLE: Final[tuple[tuple[str, int, str, str], ...]] = (
    ("J008303.90", 943_205, "WTS JPMORGAN CHASE BANK N A WTS REG S ON SHS AAPLE INC", "USD"),
)

WITH_OPTIONS: Final = frozenset({"AAPL", "MSFT", "NVDA", "TSLA", "AMZN", "SPY", "SHOP.TO", "RY.TO", "TD.TO"})
FUNDS: Final = frozenset(row[0] for row in STOCKS if row[7] == "")
