import { expect, test } from "vitest";
import { Order } from "./order.ts";

const follow = (order: Order, ids: readonly number[], times: number) =>
  Array.from({ length: times }, () => order.next(ids));

test("the newest come first, then the mix as it came", () => {
  expect(follow(new Order(), [9, 8, 7, 2, 5], 5)).toEqual([9, 8, 7, 2, 5]);
});

test("what comes in meanwhile is shown next", () => {
  const order = new Order();
  expect(follow(order, [3, 2, 1], 2)).toEqual([3, 2]);
  expect(follow(order, [5, 4, 3, 2, 1], 3)).toEqual([5, 4, 1]);
});

test("when all were shown, one comes again that was not seen for long", () => {
  const order = new Order(() => 0.99);
  follow(order, [4, 3, 2, 1], 4);
  expect(follow(order, [4, 3, 2, 1], 4)).toEqual([3, 2, 1, 3]);
});

test("what is not there any more is not shown, and one photo is shown again and again", () => {
  const order = new Order();
  follow(order, [3, 2, 1], 3);
  expect(follow(order, [2], 3)).toEqual([2, 2, 2]);
  expect(order.next([])).toBeUndefined();
});
