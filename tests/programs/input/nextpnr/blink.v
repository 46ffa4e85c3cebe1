// Divides a clock; the pace can be changed while it runs.
module blink(input clk, input fast, output reg led, output carry);
  reg [7:0] count = 0;
  wire [8:0] next = count + (fast ? 8'd5 : 8'd1);
  assign carry = next[8];
  always @(posedge clk) begin
    count <= next[7:0];
    if (next[8]) led <= ~led;
  end
endmodule
