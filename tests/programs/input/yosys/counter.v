module counter(input clk, input rst, input [7:0] step, output reg [15:0] q, output parity);
  wire [15:0] next = q + {8'b0, step};
  assign parity = ^q;
  always @(posedge clk) if (rst) q <= 0; else q <= (next > 16'd50000) ? next * 3 : next;
endmodule
