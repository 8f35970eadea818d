"""Money: budgets, prices, costs, and the books that the ledger keeps."""
