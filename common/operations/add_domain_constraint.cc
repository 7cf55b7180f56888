#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/named_type.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

constexpr char kShare[] = "ShareLock";

// VALIDATE CONSTRAINT reads every table with a column of the domain, or of a domain over it, under a SHARE
// lock that it holds to the end.
SqlText Storing(const sql::TableName& domain) {
  return {
      "WITH RECURSIVE d (id) AS (SELECT t.oid FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = "
      "t.typnamespace WHERE n.nspname = ",
      SqlText::String(domain.schema), " AND t.typname = ", SqlText::String(domain.name),
      " UNION SELECT t.oid FROM d JOIN pg_type AS t ON t.typbasetype = d.id AND t.typtype = 'd'), used AS "
      "(SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname) AS what FROM d JOIN pg_attribute AS a ON "
      "a.atttypid = d.id AND NOT a.attisdropped JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace "
      "AS n "
      "ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') AND pg_relation_size(c.oid) > 0)"};
}

// It refuses columns of arrays, rows and ranges of the domain.
SqlText Wrapping(const sql::TableName& domain) {
  return {
      "WITH RECURSIVE d (id, wrapped) AS (SELECT t.oid, false FROM pg_type AS t JOIN pg_namespace AS n ON "
      "n.oid "
      "= t.typnamespace WHERE n.nspname = ",
      SqlText::String(domain.schema), " AND t.typname = ", SqlText::String(domain.name),
      " UNION SELECT up.id, d.wrapped OR up.wraps FROM d CROSS JOIN LATERAL (SELECT t.oid, false FROM "
      "pg_type AS "
      "t WHERE t.typbasetype = d.id AND t.typtype = 'd' UNION ALL SELECT t.oid, true FROM pg_type AS t WHERE "
      "t.typelem = d.id AND t.typcategory = 'A' UNION ALL SELECT r.rngtypid, true FROM pg_range AS r WHERE "
      "r.rngsubtype = d.id UNION ALL SELECT r.rngmultitypid, true FROM pg_range AS r WHERE r.rngtypid = d.id "
      "UNION ALL SELECT c.reltype, true FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid "
      "WHERE "
      "a.atttypid = d.id AND NOT a.attisdropped AND c.reltype <> 0) AS up (id, wraps)), used AS (SELECT "
      "format('%I.%I.%I', n.nspname, c.relname, a.attname) AS what FROM d JOIN pg_attribute AS a ON "
      "a.atttypid "
      "= d.id AND NOT a.attisdropped JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON "
      "n.oid = "
      "c.relnamespace WHERE d.wrapped AND c.relkind IN ('r', 'p', 'm'))"};
}

class AddDomainConstraint : public Operation {
 public:
  AddDomainConstraint(const v1::AddDomainConstraint& proto, sql::TableName name, sql::Expression expression)
      : proto_(proto), name_(std::move(name)), expression_(std::move(expression)) {}

  v1::Scope Scope() const override { return TypeScope(proto_.domain()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Domain * domain, NamedDomain(schema, name_));
    return AddDomainCheck(proto_.name(), expression_, domain);
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const v1::Domain* now = schema::FindDomain(context.now, name_.Quoted());
    if (now != nullptr) {
      for (const v1::Constraint& constraint : now->constraints()) {
        if (constraint.name() != proto_.name()) continue;
        return NeedsLaterStage(
            absl::StrCat("the name ", sql::Ident(proto_.name()), " of a constraint of domain ",
                         name_.Quoted(), " is in use; choose another name, or drop that constraint first"));
      }
      AppendPreflight(context, steps);
    }
    const SqlText alter = {"ALTER DOMAIN ", SqlText::Name(name_)};
    const SqlText constraint = SqlText::Name(proto_.name());
    const std::string label = absl::StrCat("constraint ", constraint.str(), " of domain ", name_.Quoted());
    v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("add ", label, ", NOT VALID"));
    SetSql(step->mutable_action(), {SetSearchPathToPublic(),
                                    {alter, " ADD CONSTRAINT ", constraint, " CHECK (",
                                     SqlText::Verified(expression_.text()), ") NOT VALID"}});
    SetSql(step->mutable_undo(), {{alter, " DROP CONSTRAINT IF EXISTS ", constraint}});

    step = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("validate ", label));
    SetSql(step->mutable_action(), {{alter, " VALIDATE CONSTRAINT ", constraint}});
    step->set_scans(true);
    for (const v1::Table& table : context.now.tables()) {
      for (const v1::Column& column : table.columns()) {
        if (!IsOfType(column.type(), name_)) continue;
        AddLock(step, schema::NameOf(table), kShare);
        break;
      }
    }
    return absl::OkStatus();
  }

 private:
  void AppendPreflight(const CompileContext& context, StepList* steps) const {
    const SqlText wrapping = Wrapping(name_);
    std::vector<CatalogueCheck> checks = {
        {.description = absl::StrCat("no column holds arrays, rows or ranges of domain ", name_.Quoted()),
         .count = {wrapping, " SELECT count(*) FROM used"},
         .keys = {wrapping, " SELECT what FROM used ORDER BY what"},
         .hint = "PostgreSQL cannot validate the constraint then; use add_check on the tables instead."}};
    if (context.Acknowledged("blocks-writes")) {
      steps->Warn(
          absl::StrCat("add_domain_constraint: validation blocks all writes to the tables that store ",
                       name_.Quoted(), " while it reads them"));
    } else {
      const SqlText storing = Storing(name_);
      checks.push_back(
          {.description = absl::StrCat("no table with rows stores domain ", name_.Quoted(),
                                       ", whose writes validation would block"),
           .count = {storing, " SELECT count(*) FROM used"},
           .keys = {storing, " SELECT what FROM used ORDER BY what"},
           .hint = "Use add_check on the tables, which blocks no write, or accept it with `settings: "
                   "{acknowledge: [blocks-writes]}`."});
    }
    AppendCatalogueChecks(absl::StrCat("check what stores domain ", name_.Quoted()), checks, steps);
  }

  const v1::AddDomainConstraint proto_;
  const sql::TableName name_;
  const sql::Expression expression_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeAddDomainConstraint(const v1::AddDomainConstraint& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.domain()));
  ASSIGN_OR_RETURN(sql::Expression expression, ParseDomainCheck(proto.expression()));
  return std::make_unique<AddDomainConstraint>(proto, std::move(name), std::move(expression));
}

}  // namespace curlew::operations
