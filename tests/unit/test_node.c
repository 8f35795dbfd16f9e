/* SPDX-License-Identifier: MIT */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kapturefs/base/base.h"
#include "kapturefs/model/node.h"

enum { RANDOM_ROUNDS = 1000000 };

static void assert_round_trip(struct node node)
{
	uint64_t number = node_pack(node);
	struct node back;

	assert_true(node_unpack(number, &back));
	assert_int_equal(back.kind, node.kind);
	assert_int_equal(back.slot, node.slot);
	assert_int_equal(back.ordinal, node.ordinal);
	assert_int_equal(back.version, node.version);
	assert_true((uint32_t)number != 0);
}

static void test_the_root_is_number_1(void **state)
{
	(void)state;
	assert_int_equal(node_pack(node_of(NODE_ROOT, 1, 0)), 1);
}

static void test_packing_loses_nothing(void **state)
{
	unsigned seed = 20240502;

	(void)state;
	for (int i = 0; i < RANDOM_ROUNDS; i++) {
		uint32_t high = (uint32_t)rand_r(&seed) << 16;

		assert_round_trip((struct node){
		        .kind = (enum node_kind)(rand_r(&seed) % NODE_KINDS),
		        .slot = ((high ^ (uint32_t)rand_r(&seed)) & NODE_SLOT_MAX) | 1,
		        .ordinal = (uint32_t)rand_r(&seed) & NODE_ORDINAL_MAX,
		        .version = (uint16_t)rand_r(&seed) & NODE_VERSION_MAX,
		});
	}
}

static void test_versions_are_other_nodes_and_the_same_inode(void **state)
{
	const struct node old = { NODE_FIELD, 7, 3, 1 };
	const struct node new = { NODE_FIELD, 7, 3, 2 };

	(void)state;
	assert_int_not_equal(node_pack(old), node_pack(new));
	assert_int_equal(node_inode(node_pack(old)), node_inode(node_pack(new)));
	assert_int_not_equal(node_inode(node_pack(old)),
	                     node_inode(node_pack((struct node){ NODE_FIELD, 7, 4, 1 })));
}

static void test_the_extremes_fit(void **state)
{
	static const uint32_t slots[] = { 1, 2, UINT32_C(1) << 28, NODE_SLOT_MAX };
	static const uint32_t ordinals[] = { 0, 1, NODE_ORDINAL_MAX };

	(void)state;
	for (unsigned kind = 0; kind < NODE_KINDS; kind++) {
		for (size_t i = 0; i < array_length(slots); i++) {
			for (size_t k = 0; k < array_length(ordinals); k++)
				assert_round_trip(
				        node_of((enum node_kind)kind, slots[i], ordinals[k]));
		}
	}
}

static void test_numbers_of_no_node_are_refused(void **state)
{
	struct node node = node_of(NODE_META, 7, 7);

	(void)state;
	assert_false(node_unpack(0, &node));
	assert_false(node_unpack(UINT64_C(1) << 29, &node));
	assert_false(node_unpack((uint64_t)NODE_KINDS << 59 | 1, &node));
	assert_false(node_unpack(UINT64_MAX, &node));
	assert_int_equal(node.kind, NODE_META);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_root_is_number_1),
		cmocka_unit_test(test_packing_loses_nothing),
		cmocka_unit_test(test_versions_are_other_nodes_and_the_same_inode),
		cmocka_unit_test(test_the_extremes_fit),
		cmocka_unit_test(test_numbers_of_no_node_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
