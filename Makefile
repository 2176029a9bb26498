PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
LINTERS := .venv/.linters

# Packages from these paths must not replace the pinned ones.
unexport PYTHONPATH PYTHONHOME

TOP_SONGS := select t.title, t.artist_name, count(*) as plays \
	from songplays p join tracks t on t.track_id = p.track_id \
	group by t.title, t.artist_name order by plays desc, t.title, t.artist_name limit 5

.DEFAULT_GOAL := help
.PHONY: help install run test renew lint types bench clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

install: $(INSTALLED) ## Create .venv with the pinned dependencies and sparkify
	@echo "Ready: $(BIN)/sparkify --help"

run: $(INSTALLED) ## Generate data, load it, show the top songs, write the report
	@if [ -z "$$(find -L data -type f ! -name '.*' -print 2>/dev/null | head -n 1)" ]; then \
		echo "==> Generating sample data in data/"; \
		$(BIN)/sparkify generate --out data --users 100 --days 30 --songs 200 --seed 1; \
	fi
# The URL is fixed, because create-tables drops tables and dwh.cfg may name another warehouse.
	@if [ ! -e sparkify.duckdb ]; then \
		echo "==> Creating the tables in sparkify.duckdb"; \
		SPARKIFY_WAREHOUSE_URL=duckdb:///sparkify.duckdb $(BIN)/sparkify create-tables --yes; \
	fi
	@echo "==> Loading new and changed files"
	@$(BIN)/sparkify etl
	@echo "==> The five most played songs"
	@$(BIN)/sparkify query "$(TOP_SONGS)"
	@echo "==> Writing the report"
	@$(BIN)/sparkify report --out report.html
	@echo "==> Next steps"
	@printf '  %-20s %s\n' \
		'run a query' '$(BIN)/sparkify query "select * from users limit 5"' \
		'see the live report' '$(BIN)/sparkify dashboard' \
		'see what is loaded' '$(BIN)/sparkify status' \
		'run the tests' 'make test' \
		'see how it works' 'docs/architecture.md'

# The tests start hundreds of processes: without its bytecode, each would compile the package again.
test: $(INSTALLED) ## Run the tests (ARGS="-k ledger": some; CI=1: on every engine)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest $(ARGS)

renew: $(INSTALLED) ## Renew the generated documents and docs/redshift.sql
	@$(BIN)/python tools/write_docs.py
	@env CI=1 SPARKIFY_NO_REAL_DATA=1 $(BIN)/pytest -q -n 0 --renew -k statements_of_runs_are_those_of_the_reviewed_file

lint: $(LINTERS) ## Check style, imports, prose and workflows
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/python tools/check_prose.py
	@for kind in serverless provisioned; do $(BIN)/python -c "from sparkify.aws.cluster import template; \
		print(template.text('$$kind'))" | $(BIN)/cfn-lint --regions us-east-1 eu-west-1 us-west-1 || exit 1; done
	@$(BIN)/python tools/check_policy.py
	@$(BIN)/sqlfluff parse docs/redshift.sql >/dev/null && echo "Redshift's SQL parses."
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*_*.yml

types: $(LINTERS) ## Check types
	@$(BIN)/mypy

bench: $(INSTALLED) ## Compare with other tools (SCALE=0.1: a tenth), time nights
	@$(BIN)/python -m benchmarks.run --scale $(or $(SCALE),1) --out benchmarks $(ARGS)
	@$(BIN)/python benchmarks/nights.py --plays $(or $(PLAYS),1 10 30) --out benchmarks/nights.md

clean: ## Remove .venv, builds and caches; keep data and warehouse
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# As variables, the pins also apply to the build backend, which pip installs in an isolated environment.
# pip before 25.3 reads the first variable there, later versions the second.
$(INSTALLED) $(LINTERS): export PIP_CONSTRAINT := constraints.txt
$(INSTALLED) $(LINTERS): export PIP_BUILD_CONSTRAINT := constraints.txt
$(INSTALLED) $(LINTERS): export PIP_DISABLE_PIP_VERSION_CHECK := 1
$(INSTALLED): pyproject.toml constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "$(PYTHON) was not found. Install Python 3.11 or newer, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, but $(PYTHON) is $$("$(PYTHON)" -V 2>&1)." \
			"Install one, or name one: make PYTHON=python3.12" >&2; exit 1; }
	@echo "==> Creating .venv with the pinned dependencies"
	@"$(PYTHON)" -m venv --clear .venv
	@$(BIN)/pip install -qq --editable '.[test]'
	@touch $@

# The linters take as long to install as everything else, and few people run them.
$(LINTERS): $(INSTALLED)
	@echo "==> Adding the linters to .venv"
	@$(BIN)/pip install -qq --editable '.[dev]'
	@touch $@
