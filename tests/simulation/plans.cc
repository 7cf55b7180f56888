#include "tests/simulation/plans.h"

#include "absl/strings/str_cat.h"

namespace curlew::simulation {
namespace {

void AddSql(v1::Plan* plan, v1::Phase phase, bool irreversible, int number) {
  v1::Sql* sql = plan->add_operations()->mutable_sql();
  sql->set_up(absl::StrCat("COMMENT ON TABLE items IS 'after ", number, "'"));
  if (irreversible) {
    sql->set_irreversible(true);
  } else {
    sql->set_down(absl::StrCat("COMMENT ON TABLE items IS 'before ", number, "'"));
  }
  sql->set_phase(phase);
}

}  // namespace

v1::Schema ItemsSchema(bool drifted) {
  v1::Schema schema;
  v1::Table* table = schema.add_tables();
  table->set_schema("public");
  table->set_name("items");
  table->set_kind(v1::TABLE_KIND_TABLE);
  for (const char* name : {"id", "note", "spare"}) {
    v1::Column* column = table->add_columns();
    column->set_name(name);
    column->set_type(std::string(name) == "id" ? "bigint" : "text");
    column->set_not_null(std::string(name) == "id");
    column->set_has_equality(true);
    column->set_statistics_target(-1);
  }
  v1::Constraint* key = table->add_constraints();
  key->set_name("items_pkey");
  key->set_type(v1::CONSTRAINT_TYPE_PRIMARY_KEY);
  key->add_columns("id");
  if (drifted) {
    table->set_kind(v1::TABLE_KIND_PARTITIONED);
    table->set_partition_key("RANGE (id)");
  }
  return schema;
}

v1::StoredPlan RandomPlan(const std::string& name, Random& random) {
  v1::StoredPlan stored;
  stored.set_name(absl::StrCat("plans/", name));
  stored.set_digest(absl::StrCat("digest of ", name));
  v1::Plan* plan = stored.mutable_plan();
  plan->set_name(name);
  const int operations = 1 + random.Below(5);
  bool dropped = false, renamed = false;
  for (int i = 0; i < operations; ++i) {
    switch (random.Below(6)) {
      case 0:
      case 1: {
        const auto phase = static_cast<v1::Phase>(1 + random.Below(5));
        AddSql(plan, phase, phase == v1::PHASE_DROP, i);
        break;
      }
      case 2: {
        v1::CreateIndex* index = plan->add_operations()->mutable_create_index();
        index->set_table("items");
        index->set_name(absl::StrCat("items_note_", i));
        index->add_columns("id");
        break;
      }
      case 3: {
        v1::AddColumn* column = plan->add_operations()->mutable_add_column();
        column->set_table("items");
        column->set_column(absl::StrCat("added_", i));
        column->set_type("text");
        if (random.Chance(0.5)) column->set_up("'x'");
        break;
      }
      case 4:
        if (std::exchange(dropped, true)) break;
        plan->add_operations()->mutable_drop_column()->set_table("items");
        plan->mutable_operations(plan->operations_size() - 1)->mutable_drop_column()->set_column("spare");
        break;
      default: {
        if (std::exchange(renamed, true)) break;
        v1::RenameColumn* rename = plan->add_operations()->mutable_rename_column();
        rename->set_table("items");
        rename->set_from("note");
        rename->set_to("remark");
        break;
      }
    }
  }
  if (plan->operations_size() == 0) AddSql(plan, v1::PHASE_ADD, false, 0);
  return stored;
}

}  // namespace curlew::simulation
